package control

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/store"
)

const (
	settingCheck     = "master_key_check"
	settingBootstrap = "bootstrapped"
)

// checkMasterKey compares the keyring with the database's check value, which
// the first start writes. A wrong key must stop the process before it seals
// anything: two keys in one database could never be told apart again.
func (c *Control) checkMasterKey(ctx context.Context) error {
	return c.db.Write(ctx, func(tx *store.Tx) error {
		check, err := tx.Setting(settingCheck)
		if err != nil {
			return err
		}
		if check == "" {
			return tx.SetSetting(settingCheck, c.cfg.Keyring.Check())
		}
		if !c.cfg.Keyring.Matches(check) {
			return sluice.Errorf(sluice.CodeMasterKey, "the master key is not the one that sealed this database")
		}
		return nil
	})
}

// Bootstrap makes sure that what every installation needs exists - the tenant
// platform and the built-in roles, and on the first start the group default,
// shared with all, and the routes of the LLM surfaces - and publishes the first snapshot.
// It is idempotent and changes nothing that an operator has changed or deleted.
func (c *Control) Bootstrap(ctx context.Context) error {
	s := c.As(System())
	err := c.db.Write(ctx, func(tx *store.Tx) error {
		if err := s.ensure(tx, platformTenant()); err != nil {
			return err
		}
		if err := ensureRoles(tx); err != nil {
			return err
		}
		return s.firstStart(tx)
	})
	if err != nil {
		return fmt.Errorf("bootstrap: %w", err)
	}
	_, err = c.Publish(ctx)
	return err
}

// firsts are the objects that an operator may later change or delete, by the
// version of the bootstrap that brought them: an older installation gets the
// later ones, once.
func firsts() [][]sluice.Object {
	return [][]sluice.Object{
		{defaultGroup(), openAIRoute()},
		{anthropicRoute(), anthropicModelsRoute(), geminiRoute(), geminiStableRoute()},
	}
}

// firstStart creates what this installation has not been given yet.
func (s *Session) firstStart(tx *store.Tx) error {
	text, err := tx.Setting(settingBootstrap)
	if err != nil {
		return err
	}
	done, _ := strconv.Atoi(text) // none, on the first start
	all := firsts()
	if done >= len(all) {
		return nil
	}
	for _, objects := range all[done:] {
		for _, o := range objects {
			if err := s.ensure(tx, o); err != nil {
				return err
			}
		}
	}
	return tx.SetSetting(settingBootstrap, strconv.Itoa(len(all)))
}

// ensure creates an object of the platform unless it exists.
func (s *Session) ensure(tx *store.Tx, o sluice.Object) error {
	_, err := tx.ByName(o.Kind(), sluice.PlatformTenant, o.GetMeta().Name)
	if sluice.CodeOf(err) != sluice.CodeNotFound {
		return err
	}
	ch, err := s.decideCreate(tx, input{object: o})
	if err != nil {
		return err
	}
	_, err = s.apply(tx, ch)
	return err
}

// ensureRoles keeps rows of the built-in roles, so that they can be read and
// listed like others. What they permit is decided by the code alone.
func ensureRoles(tx *store.Tx) error {
	for _, role := range sluice.BuiltInRoles() {
		stored, err := tx.ByName(sluice.KindRole, sluice.PlatformTenant, role.Name)
		switch {
		case sluice.CodeOf(err) == sluice.CodeNotFound:
			err = tx.Insert(&role)
		case err == nil:
			err = refresh(tx, stored, &role)
		}
		if err != nil {
			return err
		}
		if err := tx.Link(&role, store.Links{SharedWith: sharedWith(&role)}); err != nil {
			return err
		}
	}
	return nil
}

// refresh brings the row of a built-in role up to this version of the code.
func refresh(tx *store.Tx, stored sluice.Object, role *sluice.Role) error {
	description := role.Description
	role.Meta = *stored.GetMeta()
	role.Description = description
	same, err := store.Equal(stored, role)
	if err != nil || same {
		return err
	}
	return tx.Update(role)
}

func platformTenant() sluice.Object {
	t := &sluice.Tenant{}
	t.Name, t.Description = sluice.PlatformTenant, "Owns what the operator shares."
	// What the operator uses is the operator's own to pay: booked like everyone's, without a limit.
	t.Spending, t.UnlimitedCredit = sluice.SpendingPostpaid, true
	return t
}

func defaultGroup() sluice.Object {
	g := &sluice.Group{SharedWith: []string{everyTenant}}
	g.Name, g.Tenant = sluice.DefaultGroup, sluice.PlatformTenant
	g.Description = "The group of keys and providers that name none."
	return g
}

// openAIRoute serves the OpenAI surface at its own paths. Its priority is low,
// so that any route of an operator's wins.
func openAIRoute() sluice.Object {
	return surfaceRoute("openai", "openai", "The OpenAI API for every key.", -100, "/v1/*")
}

// anthropicRoute serves the Anthropic surface; its paths are more exact than
// those of openAIRoute.
func anthropicRoute() sluice.Object {
	return surfaceRoute("anthropic", "anthropic", "The Anthropic API for every key.", -100, "/v1/messages", "/v1/messages/*")
}

// anthropicModelsRoute tells the two lists of models at one path apart: clients
// of Anthropic's API always say which version of it they speak.
func anthropicModelsRoute() sluice.Object {
	r := surfaceRoute("anthropic-models", "anthropic", "Anthropic's list of models, at a path that OpenAI's API has too.", -99, "/v1/models", "/v1/models/*")
	r.Vars = []any{[]any{"http_anthropic_version", "~~", "."}}
	return r
}

// geminiRoute serves the Gemini surface.
func geminiRoute() sluice.Object {
	return surfaceRoute("gemini", "gemini", "The Gemini API for every key.", -100, "/v1beta/*")
}

// geminiStableRoute serves the Gemini surface under the name of its stable
// version, whose paths lie among those of openAIRoute: its clients are known by
// the field of their key, or by the verb behind the model.
func geminiStableRoute() sluice.Object {
	r := surfaceRoute("gemini-v1", "gemini", "The stable version of the Gemini API, at a path that OpenAI's API has too.", -98, "/v1/models", "/v1/models/*")
	r.Vars = []any{"OR",
		[]any{"http_x_goog_api_key", "~~", "."},
		[]any{"uri", "~~", ":(generateContent|streamGenerateContent|countTokens|embedContent|batchEmbedContents)$"},
	}
	return r
}

// surfaceRoute is a route of an LLM surface that takes keys.
func surfaceRoute(name, surface, about string, priority int, paths ...string) *sluice.Route {
	r := &sluice.Route{
		Paths: paths, Priority: priority, Surface: surface,
		Plugins: map[string]json.RawMessage{"key-auth": json.RawMessage(`{}`)},
	}
	r.Name, r.Tenant, r.Description = name, sluice.PlatformTenant, about
	return r
}
