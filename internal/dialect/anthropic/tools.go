package anthropic

import (
	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

// tools reads the functions that the model may call.
func (r *reader) tools() error {
	n := r.get("tools")
	if !n.given() {
		return nil
	}
	list, err := n.list(maxTools)
	if err != nil {
		return err
	}
	for _, e := range list {
		t, err := readTool(e)
		if err != nil {
			return err
		}
		r.chat.Tools = append(r.chat.Tools, t)
	}
	return nil
}

// readTool reads one tool: the client's own, or one that this protocol knows by
// its type.
func readTool(n node) (form.Tool, error) {
	t := form.Tool{Field: n.field}
	o, err := n.object()
	if err != nil {
		return t, err
	}
	kind, err := o.get(n, "type").optional()
	if err != nil {
		return t, err
	}
	if t.Cache, err = readCache(o.get(n, "cache_control")); err != nil {
		return t, err
	}
	if kind != "" && kind != "custom" {
		t.Server, t.Raw = kind, n.raw()
		t.Name, err = o.get(n, "name").optional()
		return t, err
	}
	err = readFunction(&t, n, o)
	return t, err
}

func readFunction(t *form.Tool, n node, o object) (err error) {
	if t.Name, err = o.get(n, "name").filled(); err != nil {
		return err
	}
	if t.Description, err = o.get(n, "description").optional(); err != nil {
		return err
	}
	if t.Strict, err = o.get(n, "strict").boolean(); err != nil {
		return err
	}
	schema := o.get(n, "input_schema")
	if schema.value.Kind != jsonscan.Object {
		return schema.wants("an object")
	}
	t.Schema = schema.raw()
	return nil
}

// choices are the modes by their names here.
var choices = map[string]form.ToolMode{
	"auto": form.ToolAuto, "any": form.ToolRequired, "tool": form.ToolNamed, "none": form.ToolNone,
}

// choice reads which tools are called.
func (r *reader) choice() error {
	n := r.get("tool_choice")
	if !n.given() {
		return nil
	}
	o, err := n.object()
	if err != nil {
		return err
	}
	kind, err := o.get(n, "type").text()
	if err != nil {
		return err
	}
	mode, ok := choices[kind]
	if !ok {
		return o.get(n, "type").invalid("%q is not auto, any, tool or none", clip(kind))
	}
	r.chat.Choice = form.ToolChoice{Mode: mode, Field: n.field}
	if mode == form.ToolNamed {
		if err := r.named(o.get(n, "name")); err != nil {
			return err
		}
	}
	serial, err := o.get(n, "disable_parallel_tool_use").boolean()
	if serial != nil {
		parallel := !*serial
		r.chat.Parallel = &parallel
	}
	return err
}

// named reads the tool that must be called, which has to exist.
func (r *reader) named(n node) (err error) {
	if r.chat.Choice.Name, err = n.filled(); err != nil {
		return err
	}
	for _, t := range r.chat.Tools {
		if t.Name == r.chat.Choice.Name {
			return nil
		}
	}
	return n.invalid("%q is not among the tools", clip(r.chat.Choice.Name))
}

// readCache reads a cache mark.
func readCache(n node) (form.Cache, error) {
	if !n.given() {
		return form.CacheNone, nil
	}
	o, err := n.object()
	if err != nil {
		return form.CacheNone, err
	}
	if kind, err := o.get(n, "type").text(); err != nil {
		return form.CacheNone, err
	} else if kind != "ephemeral" {
		return form.CacheNone, o.get(n, "type").invalid("%q is not ephemeral", clip(kind))
	}
	switch ttl, err := o.get(n, "ttl").optional(); {
	case err != nil:
		return form.CacheNone, err
	case ttl == "" || ttl == "5m":
		return form.Cache5m, nil
	case ttl == "1h":
		return form.Cache1h, nil
	default:
		return form.CacheNone, o.get(n, "ttl").invalid("%q is not 5m or 1h", clip(ttl))
	}
}
