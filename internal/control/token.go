package control

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strconv"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/sluicegate/sluice"
)

const (
	accessLife  = 10 * time.Minute
	tokenIssuer = "sluice"
	tokenFor    = "sluice-control"
	maxJWTBytes = 4096
)

// tokenSigner makes and reads access tokens: JWTs (RFC 7519) signed with
// Ed25519 (RFC 8037). Algorithm and key id are pinned, so that a token cannot
// choose how it is verified.
type tokenSigner struct {
	key ed25519.PrivateKey
	pub ed25519.PublicKey
	kid string
}

func newTokenSigner(key ed25519.PrivateKey) tokenSigner {
	pub := key.Public().(ed25519.PublicKey)
	sum := sha256.Sum256(pub)
	return tokenSigner{key: key, pub: pub, kid: hex.EncodeToString(sum[:8])}
}

// accessClaims are what an access token says. Permissions are not among them:
// they are read anew with each request.
type accessClaims struct {
	jwt.RegisteredClaims
	// Family is the sign-in that the token descends from; revoking it ends the
	// token.
	Family string `json:"fam"`
}

// sign returns an access token of the user, valid from now for ten minutes.
func (t tokenSigner) sign(userID uint64, family string, now time.Time) (string, error) {
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, accessClaims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: tokenIssuer, Audience: jwt.ClaimStrings{tokenFor}, Subject: strconv.FormatUint(userID, 10),
			IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(accessLife)), ID: randomToken()[:16],
		},
		Family: family,
	})
	token.Header["kid"] = t.kid
	return token.SignedString(t.key)
}

// verify returns whose token it is. Every failure is [sluice.CodeUnauthorized]
// and does not say which check failed.
func (t tokenSigner) verify(token string, now time.Time) (userID uint64, family string, err error) {
	refused := sluice.Errorf(sluice.CodeUnauthorized, "the access token is invalid or expired")
	if len(token) > maxJWTBytes {
		return 0, "", refused
	}
	var claims accessClaims
	_, err = jwt.ParseWithClaims(token, &claims, t.keyFor,
		jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg()}), jwt.WithIssuer(tokenIssuer), jwt.WithAudience(tokenFor),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithStrictDecoding(), jwt.WithTimeFunc(func() time.Time { return now }))
	if err != nil {
		return 0, "", refused.Because(err)
	}
	userID, err = strconv.ParseUint(claims.Subject, 10, 63)
	if err != nil || claims.Family == "" {
		return 0, "", refused
	}
	return userID, claims.Family, nil
}

func (t tokenSigner) keyFor(token *jwt.Token) (any, error) {
	if token.Header["kid"] != t.kid {
		return nil, errors.New("unknown key id")
	}
	return t.pub, nil
}

// randomToken returns 256 random bits as text: refresh tokens, session ids,
// set-up tokens. Only their SHA-256 is stored.
func randomToken() string {
	b := make([]byte, 32)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}
