package anthropic

import (
	"net/url"
	"strings"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
)

// The paths of operations, here and at targets.
const (
	pathMessages = "/v1/messages"
	pathCount    = "/v1/messages/count_tokens"
	pathModels   = "/v1/models"
)

// stateful are the families that create objects at the target, in the account
// that all tenants share there, and what they are.
var stateful = []struct{ root, what string }{
	{"/v1/messages/batches", "batches"},
	{"/v1/files", "files"},
	{"/v1/skills", "skills"},
	{"/v1/agents", "agents"},
	{"/v1/sessions", "sessions"},
	{"/v1/environments", "environments"},
	{"/v1/vaults", "vaults"},
	{"/v1/memory_stores", "memory stores"},
	{"/v1/user_profiles", "user profiles"},
	{"/v1/organizations", "settings of the provider's account"},
}

// operation is [Surface.Operation].
func operation(method, path string) (dialect.Operation, error) {
	switch {
	case path == pathMessages:
		return post(method, dialect.Operation{Name: dialect.OpChat, Path: path})
	case path == pathCount:
		return post(method, dialect.Operation{Name: dialect.OpCount, Path: path})
	case path == pathModels || strings.HasPrefix(path, pathModels+"/"):
		return modelsOperation(method, strings.TrimPrefix(strings.TrimPrefix(path, pathModels), "/"))
	}
	for _, s := range stateful {
		if path == s.root || strings.HasPrefix(path, s.root+"/") {
			return dialect.Operation{}, refuseStored(s.what)
		}
	}
	return dialect.Operation{}, sluice.Errorf(sluice.CodeNotFound, "%s is not an operation of this API", clip(path))
}

func post(method string, op dialect.Operation) (dialect.Operation, error) {
	if method != "POST" {
		return dialect.Operation{}, wrongMethod(method, "POST")
	}
	return op, nil
}

// modelsOperation is the list of models or one of them, whose id may hold
// slashes. What is not a valid escape stays as it is and will name no model.
func modelsOperation(method, id string) (dialect.Operation, error) {
	if method != "GET" && method != "HEAD" {
		return dialect.Operation{}, wrongMethod(method, "GET")
	}
	if plain, err := url.PathUnescape(id); err == nil {
		id = plain
	}
	return dialect.Operation{Name: dialect.OpModels, Path: pathModels, Local: true, Model: id}, nil
}

func wrongMethod(method, allowed string) error {
	return sluice.Errorf(sluice.CodeMethodNotAllowed, "method %s is not allowed here, use %s", clip(method), allowed).With("allow", []string{allowed})
}

// refuseStored explains why an operation with a memory is not offered: what it
// creates would lie in the operator's account, open to every tenant.
func refuseStored(what string) error {
	return sluice.Errorf(sluice.CodeUnsupported, "%s are not supported: they would be kept in an account at the provider that tenants share", what)
}

// clip shortens what a client sent before it is quoted back.
func clip(s string) string {
	if len(s) > 100 {
		return strings.ToValidUTF8(s[:100], "") + "…"
	}
	return s
}

// pointer escapes a name for a JSON pointer (RFC 6901).
func pointer(name string) string {
	return strings.ReplaceAll(strings.ReplaceAll(clip(name), "~", "~0"), "/", "~1")
}
