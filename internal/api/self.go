package api

import (
	"context"
	"net/http"
	"reflect"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/control"
)

// selfUser is what people may change of themselves.
type selfUser struct {
	Description string `json:"description,omitempty" maxLength:"500"`
	Password    string `json:"password,omitempty" writeOnly:"true" doc:"12 to 128 bytes."`
}

// registerSelfService adds what every caller may do with the own user and the
// own keys, whatever else the caller's role allows.
func (s *server) registerSelfService() {
	register(s, operation{id: "list-my-users", method: http.MethodGet, path: "/v1/users", tag: "self-service", filters: true,
		summary: "List the users that the caller may see"}, userKind.list)
	register(s, operation{id: "get-me", method: http.MethodGet, path: "/v1/users/me", tag: "self-service",
		summary: "Read the caller's own user"}, getMe)
	register(s, operation{id: "update-me", method: http.MethodPatch, path: "/v1/users/me", tag: "self-service",
		summary: "Change the caller's own user", body: reflect.TypeFor[selfUser](), patch: true,
		errors: []sluice.Code{sluice.CodePrecondition}}, updateMe)
	s.registerOwnKeys()
}

func (s *server) registerOwnKeys() {
	register(s, operation{id: "list-my-keys", method: http.MethodGet, path: "/v1/keys", tag: "self-service",
		summary: "List the caller's own keys"}, listOwnKeys)
	register(s, operation{id: "create-my-key", method: http.MethodPost, path: "/v1/keys", tag: "self-service", status: http.StatusCreated,
		summary: "Create a key of the caller's own", description: keyKind.summary, body: reflect.TypeFor[sluice.Key](), example: keyKind.example,
		errors: []sluice.Code{sluice.CodeConflict, sluice.CodeIdempotency}}, createOwnKey)
	register(s, operation{id: "get-my-key", method: http.MethodGet, path: "/v1/keys/{ref}", tag: "self-service",
		summary: "Read one of the caller's own keys", errors: []sluice.Code{sluice.CodeNotFound}}, getOwnKey)
	register(s, operation{id: "delete-my-key", method: http.MethodDelete, path: "/v1/keys/{ref}", tag: "self-service", status: http.StatusNoContent,
		summary: "Delete one of the caller's own keys", errors: []sluice.Code{sluice.CodeNotFound, sluice.CodePrecondition}}, deleteOwnKey)
	register(s, rotateOperation("/v1/keys/{ref}/rotate", "rotate-my-key", "self-service"), rotateOwnKey)
}

func getMe(ctx context.Context, ses *control.Session, _ *none) (*objectOutput[sluice.User], error) {
	user, err := ses.Users().Get(ctx, ses.Caller().Tenant, ses.Caller().User)
	if err != nil {
		return nil, err
	}
	return userKind.answer(ses, user, http.StatusOK), nil
}

func updateMe(ctx context.Context, ses *control.Session, in *struct{ WriteQuery }) (*objectOutput[sluice.User], error) {
	opts, err := in.options()
	if err != nil {
		return nil, err
	}
	patch, err := readPatch(ctx, reflect.TypeFor[selfUser](), nil)
	if err != nil {
		return nil, err
	}
	user, err := ses.Users().Patch(ctx, ses.Caller().Tenant, ses.Caller().User, patch, opts)
	if err != nil {
		return nil, err
	}
	return userKind.answer(ses, user, http.StatusOK), nil
}

type ownListInput struct {
	Search string `query:"search" maxLength:"128" doc:"Keeps keys whose name or description contains it, without case."`
	Cursor string `query:"cursor" doc:"The next of the previous page."`
	Limit  int    `query:"limit" minimum:"0" maximum:"500" doc:"The size of a page; 0 means 50."`
}

func listOwnKeys(ctx context.Context, ses *control.Session, in *ownListInput) (*pageOutput[sluice.Key], error) {
	page, err := ses.Keys().List(ctx, sluice.ListQuery{
		Tenant: ses.Caller().Tenant, Filter: map[string]string{"user": ses.Caller().User},
		Search: in.Search, Cursor: in.Cursor, Limit: in.Limit,
	})
	if err != nil {
		return nil, err
	}
	return &pageOutput[sluice.Key]{page}, nil
}

type ownCreateInput struct {
	DryRun         bool   `query:"dry_run" doc:"Check everything and answer as if it were done, but keep nothing."`
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"255" doc:"The same request with the same key, within 24 hours, is done once."`
}

func createOwnKey(ctx context.Context, ses *control.Session, in *ownCreateInput) (*objectOutput[sluice.Key], error) {
	var key sluice.Key
	if err := decodeBody(ctx, &key, keyKind.hints); err != nil {
		return nil, err
	}
	if err := settle(&key.User, ses.Caller().User, "/user"); err != nil {
		return nil, err
	}
	if err := settle(&key.Tenant, ses.Caller().Tenant, "/tenant"); err != nil {
		return nil, err
	}
	created, err := ses.Keys().Create(ctx, key, sluice.WriteOptions{DryRun: in.DryRun, IdempotencyKey: in.IdempotencyKey})
	if err != nil {
		return nil, err
	}
	out := keyKind.answer(ses, created, http.StatusCreated)
	out.Location = "/v1/keys/" + created.Name
	return out, nil
}

// ownKey returns a key of the caller's own. Another user's key is as absent as
// one that does not exist, even for an admin: these paths are about oneself.
func ownKey(ctx context.Context, ses *control.Session, ref string) (sluice.Key, error) {
	key, err := ses.Keys().Get(ctx, ses.Caller().Tenant, ref)
	if err == nil && key.User != ses.Caller().User {
		err = sluice.Errorf(sluice.CodeNotFound, "no key %q of your own", clipped(ref))
	}
	return key, err
}

// OwnRef names one of the caller's own keys.
type OwnRef struct {
	Ref string `path:"ref" doc:"The key's name or its numeric id."`
}

func getOwnKey(ctx context.Context, ses *control.Session, in *OwnRef) (*objectOutput[sluice.Key], error) {
	key, err := ownKey(ctx, ses, in.Ref)
	if err != nil {
		return nil, err
	}
	return keyKind.answer(ses, key, http.StatusOK), nil
}

func deleteOwnKey(ctx context.Context, ses *control.Session, in *struct {
	OwnRef
	WriteQuery
}) (*none, error) {
	opts, err := in.options()
	if err != nil {
		return nil, err
	}
	key, err := ownKey(ctx, ses, in.Ref)
	if err != nil {
		return nil, err
	}
	return nil, ses.Keys().Delete(ctx, key.Tenant, key.Name, opts)
}

func rotateOwnKey(ctx context.Context, ses *control.Session, in *struct {
	OwnRef
	WriteQuery
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"255" doc:"The same request with the same key, within 24 hours, is done once."`
}) (*objectOutput[sluice.Key], error) {
	key, err := ownKey(ctx, ses, in.Ref)
	if err != nil {
		return nil, err
	}
	return rotate(ctx, ses, &rotateInput{ObjectQuery: ObjectQuery{Tenant: key.Tenant, Ref: key.Name}, WriteQuery: in.WriteQuery, IdempotencyKey: in.IdempotencyKey})
}
