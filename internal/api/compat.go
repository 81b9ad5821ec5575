package api

import (
	"context"
	"net/http"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/control"
)

// registerCompatibility adds the paths of feature E1 and I5, which take and
// give the same JSON as the native ones.
func (s *server) registerCompatibility() {
	registerCreate(s, providerKind, "/providers", "compat-create-provider")
	registerCreate(s, keyKind, "/keys", "compat-create-key")
	registerCreate(s, modelKind, "/models", "compat-create-model")
	registerList(s, modelKind, "/models", "compat-list-models")
	register(s, operation{id: "sync-snapshot", method: http.MethodPost, path: "/sync/snapshot", tag: "system",
		summary: "Rebuild and publish the snapshot", description: "Platform admins only. Writes publish by themselves; this is for repair."}, s.syncSnapshot)
	register(s, operation{id: "list-admin-users", method: http.MethodGet, path: "/admin/users", tag: "users", filters: true,
		summary: "List users", description: "The same as GET /admin/v1/users."}, userKind.list)
	register(s, operation{id: "disable-user", method: http.MethodPost, path: "/admin/users/{ref}/disable", tag: "users",
		summary: "Disable a user and every key the user owns", errors: []sluice.Code{sluice.CodeNotFound, sluice.CodePrecondition}}, disableUser)
}

type revisionOutput struct {
	Body struct {
		Revision uint64 `json:"revision" doc:"The number of the snapshot that was published."`
	}
}

type syncInput struct {
	Force bool `query:"force" doc:"Publish under a new revision that every gateway takes, although it holds far fewer keys or providers, or the database was restored."`
}

func (s *server) syncSnapshot(ctx context.Context, ses *control.Session, in *syncInput) (*revisionOutput, error) {
	revision, err := ses.Sync(ctx)
	if err != nil {
		return nil, err
	}
	if s.Rebuild != nil {
		if revision, err = s.Rebuild(ctx, in.Force); err != nil {
			return nil, err
		}
	}
	out := &revisionOutput{}
	out.Body.Revision = revision
	return out, nil
}

func disableUser(ctx context.Context, ses *control.Session, in *updateInput) (*objectOutput[sluice.User], error) {
	opts, err := in.options()
	if err != nil {
		return nil, err
	}
	user, err := ses.Users().Patch(ctx, in.Tenant, in.Ref, []byte(`{"status":"disabled"}`), opts)
	if err != nil {
		return nil, err
	}
	return userKind.answer(ses, user, http.StatusOK), nil
}
