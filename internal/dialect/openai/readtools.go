package openai

import (
	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

// tool reads one element of tools.
func (r *chatReader) tool(m node) error {
	if err := m.object(); err != nil {
		return err
	}
	kind, err := m.find("type").optional()
	if err != nil {
		return err
	}
	switch kind {
	case "function", "":
		return r.addTool(m, m.find("function"))
	case "custom":
		return r.addTool(m, m.find("custom"))
	}
	return r.keepTool(m, form.Tool{Server: kind, Raw: m.raw()})
}

// function reads one element of the older functions.
func (r *chatReader) function(m node) error { return r.addTool(m, m) }

// addTool reads the object that describes a client's own tool.
func (r *chatReader) addTool(m, body node) (err error) {
	t := form.Tool{Custom: body.name == "custom"}
	if t.Cache, err = readCache(m.find("cache_control")); err != nil {
		return err
	}
	err = body.members(func(e node) (err error) {
		switch e.name {
		case "name":
			t.Name, err = e.text()
		case "description":
			t.Description, err = e.text()
		case "parameters":
			t.Schema, err = e.raw(), e.object()
		case "strict":
			t.Strict, err = e.boolean()
		case "format":
			t.Grammar, err = e.raw(), e.object()
		}
		return err
	})
	if err == nil && t.Name == "" {
		err = body.find("name").bad("is required")
	}
	if err != nil {
		return err
	}
	return r.keepTool(m, t)
}

func (r *chatReader) keepTool(m node, t form.Tool) error {
	if len(r.chat.Tools) == maxTools {
		return m.bad("is more than the %d tools that are accepted", maxTools)
	}
	t.Field = m.at()
	r.chat.Tools = append(r.chat.Tools, t)
	return nil
}

// readCache reads a mark {"type":"ephemeral","ttl":"1h"}, which several vendors
// of this protocol take.
func readCache(m node) (form.Cache, error) {
	if !m.given() {
		return form.CacheNone, nil
	}
	if err := m.object(); err != nil {
		return form.CacheNone, err
	}
	if jsonscan.Is(m.doc, m.find("ttl").v, "1h") {
		return form.Cache1h, nil
	}
	return form.Cache5m, nil
}

// toolChoice reads tool_choice and the older function_call.
func (r *chatReader) toolChoice(m node) error {
	r.choice = m
	c := &r.chat.Choice
	c.Field = m.at()
	if m.v.Kind == jsonscan.Object {
		return r.chosen(m)
	}
	word, err := m.text()
	if err != nil {
		return err
	}
	switch word {
	case "auto":
		c.Mode = form.ToolAuto
	case "none":
		c.Mode = form.ToolNone
	case "required", "any":
		c.Mode = form.ToolRequired
	default:
		return m.bad("must be auto, none, required or an object")
	}
	return nil
}

// chosen reads a choice that names tools.
func (r *chatReader) chosen(m node) (err error) {
	c := &r.chat.Choice
	kind, err := m.find("type").optional()
	if err != nil {
		return err
	}
	named := m.find("name")
	switch {
	case m.name == "function_call":
	case kind == "function", kind == "custom":
		named = m.find(kind).find("name")
	case kind == "allowed_tools":
		return r.allowed(m.find("allowed_tools"))
	default:
		return m.find("type").bad("must be function, custom or allowed_tools")
	}
	c.Mode = form.ToolNamed
	c.Name, err = named.text()
	return err
}

// allowed reads {"mode":"auto","tools":[{"type":"function","function":{...}}]}.
func (r *chatReader) allowed(m node) error {
	c := &r.chat.Choice
	mode, err := m.find("mode").text()
	if err != nil {
		return err
	}
	switch mode {
	case "auto":
		c.Mode = form.ToolAuto
	case "required":
		c.Mode = form.ToolRequired
	default:
		return m.find("mode").bad("must be auto or required")
	}
	return m.find("tools").elements(func(e node) error {
		kind, err := e.find("type").text()
		if err != nil {
			return err
		}
		name, err := e.find(kind).find("name").text()
		c.Allowed = append(c.Allowed, name)
		return err
	})
}
