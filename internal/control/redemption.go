package control

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/store"
)

// codesKind is what replays of orders of codes are remembered as.
const codesKind sluice.Kind = "redemption_codes"

const (
	maxCode = 64
	// shownOfCode is how much of a code stays readable.
	shownOfCode = 9
)

// CreateCodes makes redemption codes and returns them, once with their plaintext.
// Platform admins only.
func (s *Session) CreateCodes(ctx context.Context, order sluice.CodeOrder, opts sluice.WriteOptions) ([]sluice.RedemptionCode, error) {
	if err := s.authoriseBilling(); err != nil {
		return nil, err
	}
	if err := order.Validate(s.c.cfg.Clock()); err != nil {
		return nil, err
	}
	fingerprint, err := s.c.keyed("codes", order)
	if err != nil {
		return nil, err
	}
	var codes []sluice.RedemptionCode
	err = s.c.db.Write(ctx, func(tx *store.Tx) error {
		batch, known, err := s.replayOf(tx, codesKind, opts, fingerprint)
		if err != nil {
			return err
		}
		if known {
			codes, err = tx.Codes(batch, 0, 0)
			return err
		}
		if codes, err = s.addCodes(tx, order); err != nil {
			return err
		}
		if opts.DryRun {
			return errDryRun
		}
		return s.rememberAs(tx, codesKind, codes[0].Order, opts, fingerprint)
	})
	if errors.Is(err, errDryRun) {
		return withoutPlaintext(codes), nil // nobody can redeem them
	}
	return codes, err
}

// addCodes draws, stores and audits an order.
func (s *Session) addCodes(tx *store.Tx, order sluice.CodeOrder) ([]sluice.RedemptionCode, error) {
	codes, hashes := make([]sluice.RedemptionCode, order.Count), make([]string, order.Count)
	for i := range codes {
		code := sluice.NewRedemptionCode()
		hashes[i] = sluice.HashRedemptionCode(code)
		codes[i] = sluice.RedemptionCode{Code: code, Prefix: code[:shownOfCode], Amount: order.Amount, Asset: order.Asset,
			ExpiresAt: order.ExpiresAt.UTC().Truncate(time.Microsecond), Note: order.Note, Status: sluice.RedemptionOpen}
	}
	if err := tx.AddCodes(codes, hashes); err != nil {
		return nil, err
	}
	return codes, s.auditCodes(tx, actionCreate, "order "+strconv.FormatUint(codes[0].Order, 10), codes[0].Order, order)
}

func withoutPlaintext(codes []sluice.RedemptionCode) []sluice.RedemptionCode {
	for i := range codes {
		codes[i].Code = ""
	}
	return codes
}

// auditCodes writes what was done to codes into the platform's audit log.
func (s *Session) auditCodes(tx *store.Tx, action, object string, id uint64, what any) error {
	diff, err := addedFields(what)
	if err != nil {
		return fmt.Errorf("describe %s of codes: %w", action, err)
	}
	return tx.Append(&sluice.AuditEntry{
		Tenant: sluice.PlatformTenant, Actor: s.actor(), Action: action, Kind: sluice.KindBilling, Object: object, ObjectID: id,
		Diff: diff, RequestID: s.caller.RequestID, IP: s.caller.IP,
	})
}

// Codes returns redemption codes by ascending number, without their plaintext.
// Platform admins only.
func (s *Session) Codes(ctx context.Context, q sluice.CodeQuery) (sluice.Page[sluice.RedemptionCode], error) {
	page := sluice.Page[sluice.RedemptionCode]{Items: []sluice.RedemptionCode{}}
	if err := s.authoriseBilling(); err != nil {
		return page, err
	}
	size := q.Limit
	if size < 0 || size > maxPage {
		return page, sluice.Errorf(sluice.CodeInvalidRequest, "limit must be 1 to %d", maxPage).At("limit")
	}
	if size == 0 {
		size = defaultPage
	}
	after, err := decodeCursor(q.Cursor)
	if err != nil {
		return page, err
	}
	err = s.c.db.Read(ctx, func(tx *store.Tx) error {
		page.Items, err = tx.Codes(q.Order, after, size+1)
		return err
	})
	if len(page.Items) > size {
		page.Items = page.Items[:size]
		page.Next = encodeCursor(page.Items[size-1].ID)
	}
	return page, err
}

// RevokeCode makes a code void and returns it; one that was redeemed is
// [sluice.CodeConflict]. Revoking it again changes nothing. Platform admins only.
func (s *Session) RevokeCode(ctx context.Context, id uint64) (c sluice.RedemptionCode, err error) {
	if err := s.authoriseBilling(); err != nil {
		return c, err
	}
	err = s.c.db.Write(ctx, func(tx *store.Tx) error {
		if c, err = tx.Code(id); err != nil || c.Status == sluice.RedemptionRevoked {
			return err
		}
		if c.Status == sluice.RedemptionRedeemed {
			return sluice.Errorf(sluice.CodeConflict, "the code was redeemed at %s", c.RedeemedAt.Format(time.RFC3339)).With("status", c.Status)
		}
		if err := tx.RevokeCode(id); err != nil {
			return err
		}
		if err := s.auditCodes(tx, "revoke", "code "+strconv.FormatUint(id, 10), id, map[string]any{"prefix": c.Prefix}); err != nil {
			return err
		}
		c, err = tx.Code(id)
		return err
	})
	return c, err
}

// Redeem turns a code into money in the wallet of the caller's tenant, or in that
// of the caller's own user, by wallet: [sluice.WalletTenant],
// [sluice.WalletUser], or "" for the tenant's where the caller may and otherwise
// the own. A code is redeemed once, whoever tries at the same time: it is
// [sluice.CodeConflict] when it was redeemed, revoked or has expired, with its
// status in the details, and [sluice.CodeNotFound] when there is none. Failed
// attempts are bounded: [sluice.CodeRequestRate].
func (s *Session) Redeem(ctx context.Context, code, wallet string, opts sluice.WriteOptions) (sluice.Payment, error) {
	of, err := s.redeemInto(wallet)
	if err != nil {
		return sluice.Payment{}, err
	}
	if code == "" || len(code) > maxCode {
		return sluice.Payment{}, sluice.Errorf(sluice.CodeInvalidRequest, "code must be 1 to %d bytes", maxCode).At("/code")
	}
	hash := sluice.HashRedemptionCode(code)
	fingerprint, err := s.c.keyed("redeem", []string{hash, wallet})
	if err != nil {
		return sluice.Payment{}, err
	}
	if _, err := s.c.ledger(); err != nil {
		return sluice.Payment{}, err // before the attempt is counted: nobody would learn whether the code is right
	}
	subject := s.c.subject("redeem\x00"+s.actor(), "")
	if err := s.c.countAttempt(ctx, subject); err != nil {
		return sluice.Payment{}, tooManyCodes(err)
	}
	var again, valid bool
	p, created, err := s.carryOut(ctx, opts.DryRun, func(tx *store.Tx) (payment, error) {
		id, known, err := s.replayOf(tx, codesKind, opts, fingerprint)
		if err != nil {
			return payment{}, err
		}
		if again = known; known {
			return booked(tx, id)
		}
		claimed, err := s.claim(tx, of, hash, opts, fingerprint)
		valid = err == nil
		return claimed, err
	})
	if valid || again { // it was no guess, whatever the ledger made of it
		err = errors.Join(err, s.c.db.Write(ctx, func(tx *store.Tx) error { return tx.ClearAttempts(subject) }))
	}
	if err == nil && !created && !again && !opts.DryRun {
		err = redeemedAlready() // by somebody who did the same at once
	}
	if err != nil {
		return sluice.Payment{}, err
	}
	return p, nil
}

// redeemInto says whose wallet a code is redeemed into.
func (s *Session) redeemInto(wallet string) (of sluice.WalletOwner, err error) {
	all := s.caller.may(string(sluice.KindBilling), verbWrite, false)
	own := s.caller.User != "" && s.caller.may(string(sluice.KindBilling), verbWrite, true)
	of.Tenant = s.caller.Tenant
	switch {
	case all && (wallet == "" || wallet == sluice.WalletTenant):
		return of, nil
	case own && (wallet == "" || wallet == sluice.WalletUser):
		of.User = s.caller.User
		return of, nil
	case wallet != "" && wallet != sluice.WalletTenant && wallet != sluice.WalletUser:
		return of, sluice.Errorf(sluice.CodeInvalidRequest, "wallet must be tenant or user").At("/wallet")
	}
	return of, sluice.Errorf(sluice.CodeForbidden, "your roles do not permit redeeming into this wallet").At("/wallet")
}

// claim has the payment that redeems a code stored: whoever is first has it.
func (s *Session) claim(tx *store.Tx, of sluice.WalletOwner, hash string, opts sluice.WriteOptions, fingerprint string) (payment, error) {
	owner, err := s.walletOwner(tx, of)
	if err != nil {
		return payment{}, err
	}
	c, err := tx.CodeByHash(hash)
	if sluice.CodeOf(err) == sluice.CodeNotFound {
		return payment{}, sluice.Errorf(sluice.CodeNotFound, "there is no such code").At("/code")
	}
	if err != nil {
		return payment{}, err
	}
	p := sluice.Payment{ID: store.PaymentIDOf(&c), Kind: sluice.PaymentRedemption, WalletOwner: owner.named(),
		Amount: c.Amount, Asset: c.Asset, Note: c.Note, Wallet: owner.account(c.Asset)}
	switch c.Status {
	case sluice.RedemptionRevoked, sluice.RedemptionExpired:
		return payment{}, sluice.Errorf(sluice.CodeConflict, "the code is %s", c.Status).At("/code").With("status", c.Status)
	case sluice.RedemptionRedeemed:
		if c.Wallet != p.Wallet || c.RedeemedBy != s.actor() {
			return payment{}, redeemedAlready()
		}
	}
	claimed, err := s.agree(tx, payment{Payment: p, floor: owner.floor(c.Asset)})
	if err == nil && claimed.booked {
		err = redeemedAlready()
	}
	if err == nil && claimed.added {
		err = s.rememberAs(tx, codesKind, c.ID, opts, fingerprint)
	}
	return claimed, err
}

// booked returns the payment that redeemed a code before.
func booked(tx *store.Tx, code uint64) (payment, error) {
	p, done, err := tx.Payment(sluice.PaymentRedemption, strconv.FormatUint(code, 10))
	if err != nil {
		return payment{}, err
	}
	account, err := tx.Account(p.Wallet)
	if err != nil && sluice.CodeOf(err) != sluice.CodeNotFound {
		return payment{}, err
	}
	return payment{Payment: p, floor: account.Floor, booked: done}, nil
}

func redeemedAlready() error {
	return sluice.Errorf(sluice.CodeConflict, "the code was redeemed already").At("/code").With("status", sluice.RedemptionRedeemed)
}

// tooManyCodes renders the lock of a sign-in as what it is here.
func tooManyCodes(err error) error {
	if sluice.CodeOf(err) != sluice.CodeLockedOut {
		return err
	}
	wait := sluice.AsError(err).RetryAfter
	return sluice.Errorf(sluice.CodeRequestRate, "too many codes were tried; try again in %d s", wait).After(wait)
}
