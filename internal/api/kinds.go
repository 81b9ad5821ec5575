package api

import (
	"context"
	"net/http"
	"reflect"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/control"
)

// The kinds that compatibility and self-service paths share with the native
// ones.
var (
	userKind = kind[sluice.User]{name: sluice.KindUser, singular: "user",
		summary: "password is write-only: 12 to 128 bytes, stored as argon2id.", filters: []string{"status", "email"},
		example: map[string]any{"name": "ada", "email": "ada@example.com", "roles": []string{"developer"}, "password": "correct horse battery"},
		of:      (*control.Session).Users}
	keyKind = kind[sluice.Key]{name: sluice.KindKey, singular: "key",
		summary: "The answer shows the token in clear, this once.",
		filters: []string{"status", "group", "user"},
		hints:   map[string]string{"provider_id": "a key is not tied to one provider; name the group whose providers it uses in \"group\""},
		example: map[string]any{"name": "checkout", "group": "default", "rpm": 60, "models": []string{"demo"}},
		of:      (*control.Session).Keys}
	providerKind = kind[sluice.Provider]{name: sluice.KindProvider, singular: "provider",
		summary: "api_key is write-only: it is stored sealed and never shown again.",
		filters: []string{"status", "group", "type"},
		example: map[string]any{"name": "openai", "type": "openai", "base_url": "https://api.openai.com/v1", "api_key": "sk-…", "models": []string{"gpt-*"}},
		of:      (*control.Session).Providers}
	modelKind = kind[sluice.Model]{name: sluice.KindModel, singular: "model",
		summary: "Describes a model by the name that clients ask for.",
		filters: []string{"status"},
		example: map[string]any{"name": "gpt-4o-mini", "context_window": 128000, "cost_per_token": 0.0000006, "supports_vision": true},
		of:      (*control.Session).Models}
)

// registerResources adds every kind below /admin/v1/.
func (s *server) registerResources() {
	registerKind(s, kind[sluice.Tenant]{name: sluice.KindTenant, singular: "tenant",
		summary: "Only platform admins create tenants.", filters: []string{"status"},
		example: map[string]any{"name": "acme", "description": "A customer"}, of: (*control.Session).Tenants})
	registerKind(s, userKind)
	registerKind(s, kind[sluice.Role]{name: sluice.KindRole, singular: "role",
		summary: "Built-in roles are listed, too, and cannot be changed.",
		example: map[string]any{"name": "auditor", "permissions": []string{"records:read", "audit:read"}}, of: (*control.Session).Roles})
	registerKind(s, keyKind)
	s.registerRotate()
	registerKind(s, kind[sluice.Group]{name: sluice.KindGroup, singular: "group",
		summary: "A key's group selects the providers of that group.",
		example: map[string]any{"name": "vip", "strategy": "weighted"}, of: (*control.Session).Groups})
	registerKind(s, providerKind)
	registerKind(s, modelKind)
	registerKind(s, kind[sluice.Route]{name: sluice.KindRoute, singular: "route",
		summary: "Binds paths to an upstream, or to an LLM surface.", filters: []string{"status", "upstream", "group", "surface"},
		example: map[string]any{"name": "orders", "paths": []string{"/orders/*"}, "upstream": "orders", "plugins": map[string]any{"key-auth": map[string]any{}}}, of: (*control.Session).Routes})
	registerKind(s, kind[sluice.Upstream]{name: sluice.KindUpstream, singular: "upstream",
		summary: "A service behind the gateway: nodes that answer alike.", filters: []string{"scheme"},
		example: map[string]any{"name": "orders", "nodes": []map[string]any{{"host": "10.0.0.7", "port": 8080}}}, of: (*control.Session).Upstreams})
}

// rotateBody is the optional body of a rotation.
type rotateBody struct {
	GraceSeconds int64 `json:"grace_seconds,omitempty" minimum:"0" maximum:"2592000" doc:"How long the old token stays valid."`
}

type rotateInput struct {
	ObjectQuery
	WriteQuery
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"255" doc:"The same request with the same key, within 24 hours, is done once."`
}

// maxGrace bounds how long a rotated token may stay valid.
const maxGrace = 30 * 24 * time.Hour

func (s *server) registerRotate() {
	op := rotateOperation(adminPath+"keys/{ref}/rotate", "rotate-key", "keys")
	register(s, op, rotate)
}

func rotateOperation(path, id, tag string) operation {
	return operation{id: id, method: http.MethodPost, path: path, tag: tag,
		summary: "Give a key a new token", description: "The answer shows the new token in clear, this once.",
		body: reflect.TypeFor[rotateBody](), optional: true, example: rotateBody{GraceSeconds: 3600},
		errors: []sluice.Code{sluice.CodeNotFound, sluice.CodePrecondition, sluice.CodeIdempotency}}
}

func rotate(ctx context.Context, ses *control.Session, in *rotateInput) (*objectOutput[sluice.Key], error) {
	opts, err := in.options()
	if err != nil {
		return nil, err
	}
	opts.IdempotencyKey = in.IdempotencyKey
	grace, err := readGrace(ctx)
	if err != nil {
		return nil, err
	}
	key, err := ses.RotateKey(ctx, in.Tenant, in.Ref, grace, opts)
	if err != nil {
		return nil, err
	}
	return keyKind.answer(ses, key, http.StatusOK), nil
}

// readGrace reads the optional body of a rotation.
func readGrace(ctx context.Context) (time.Duration, error) {
	var body rotateBody
	if exchangeOf(ctx).r.ContentLength == 0 {
		return 0, nil
	}
	if err := decodeBody(ctx, &body, nil); err != nil {
		return 0, err
	}
	if body.GraceSeconds < 0 || body.GraceSeconds > int64(maxGrace/time.Second) {
		return 0, invalid("/grace_seconds", "grace_seconds must be 0 to %d", int64(maxGrace/time.Second))
	}
	return time.Duration(body.GraceSeconds) * time.Second, nil
}
