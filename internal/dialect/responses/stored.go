package responses

import (
	"slices"
	"strconv"

	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
	"github.com/sluicegate/sluice/internal/dialect/native"
)

// stored are the members that refer to objects at the provider, and what they
// name.
var stored = []struct{ name, what string }{
	{"previous_response_id", "a stored response"},
	{"conversation", "a stored conversation"},
	{"prompt", "a stored prompt template"},
}

// refuseStored refuses what would read or leave objects in the account at the
// provider, which tenants share.
func refuseStored(_ []byte, found map[string]jsonscan.Value) error {
	for _, s := range stored {
		if given(found[s.name]) {
			return refused("/"+s.name, s.what)
		}
	}
	if found["background"].Kind == jsonscan.True {
		return refused("/background", "a response in the background")
	}
	if found["store"].Kind == jsonscan.True {
		return invalid("/store", "store must be false: stored responses would be kept in an account at the provider that tenants share; send the whole conversation as input")
	}
	return nil
}

// refused says why a reference is not followed.
func refused(field, what string) error {
	return invalid(field, "%s lies in an account at the provider that tenants share, and is not available here; send the whole conversation as input", what)
}

// own are the tools that the client runs: in their schemas a property may have
// any name.
var own = []string{"function", "custom"}

// storedNames are members by which a tool of the provider names objects that
// were stored there.
var storedNames = []string{"file_id", "file_ids", "vector_store_ids", "container_id", "skill_id"}

// refuseStoredTool refuses tools that name objects at the provider.
func refuseStoredTool(body []byte, tool jsonscan.Value, field string) error {
	kind, _ := jsonscan.Text(body, jsonscan.Find(body, tool, "type"))
	if slices.Contains(own, kind) {
		return nil
	}
	switch kind {
	case "file_search":
		return refused(field, "a vector store")
	case "namespace":
		_, err := refuseStoredTools(body, jsonscan.Find(body, tool, "tools"), field+"/tools")
		return err
	}
	return refuseStoredNames(body, tool, field)
}

// refuseStoredTools does so for a list of tools, and counts them.
func refuseStoredTools(body []byte, list jsonscan.Value, field string) (n int, err error) {
	for e := list.Elements(body); e.Next(); n++ {
		if n == maxTools {
			return n, invalid(field, "tools holds more than %d tools", maxTools)
		}
		if err := refuseStoredTool(body, e.Value(), field+"/"+strconv.Itoa(n)); err != nil {
			return n, err
		}
	}
	return n, nil
}

// refuseStoredNames walks a tool, which jsonscan bounds in depth.
func refuseStoredNames(body []byte, v jsonscan.Value, field string) error {
	for m := v.Members(body); m.Next(); {
		name := string(m.Key())
		if given(m.Value()) && (slices.Contains(storedNames, name) || name == "container" && m.Value().Kind == jsonscan.String) {
			return refused(field+"/"+name, "what "+name+" names")
		}
		if err := refuseStoredNames(body, m.Value(), field+"/"+name); err != nil {
			return err
		}
	}
	for e := v.Elements(body); e.Next(); {
		if err := refuseStoredNames(body, e.Value(), field); err != nil {
			return err
		}
	}
	return nil
}

// Unstored returns the edits of the body, at most one, that make the provider
// store nothing.
func (o *Outline) Unstored() []native.Edit {
	switch o.Store.Kind {
	case jsonscan.False:
		return nil
	case jsonscan.None:
		// There is always a member behind it: the model.
		return []native.Edit{{Start: o.Inside, End: o.Inside, Text: []byte(`"store":false,`)}}
	}
	return []native.Edit{{Start: o.Store.Start, End: o.Store.End, Text: []byte("false")}}
}
