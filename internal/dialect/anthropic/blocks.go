package anthropic

import (
	"strings"

	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

// blockReader appends the parts of one block.
type blockReader func(parts []form.Part, n node, o object) ([]form.Part, error)

// foreign reports whether only this protocol knows a block: calls of tools that
// the provider ran, their results, and its own notes.
func foreign(kind string) bool {
	switch kind {
	case "server_tool_use", "mcp_tool_use", "container_upload", "tool_reference", "compaction":
		return true
	}
	return strings.HasSuffix(kind, "_tool_result")
}

// readBlock reads one content block.
func readBlock(parts []form.Part, n node, role form.Role) ([]form.Part, error) {
	o, err := n.object()
	if err != nil {
		return nil, err
	}
	kind, err := o.get(n, "type").text()
	if err != nil {
		return nil, err
	}
	if read := readerOf(kind, role); read != nil {
		before := len(parts)
		if parts, err = read(parts, n, o); err != nil {
			return nil, err
		}
		return mark(parts, before, o.get(n, "cache_control"))
	}
	if role != form.RoleSystem && foreign(kind) {
		return append(parts, form.Part{Kind: form.PartOther, Raw: n.raw(), Origin: origin, Field: n.field}), nil
	}
	return nil, o.get(n, "type").invalid("%q is not a block that can stand here", clip(kind))
}

// readerOf returns how a block of that type is read, nil if it cannot stand
// with that role. Inside results of tools blocks stand as the user's.
func readerOf(kind string, role form.Role) blockReader {
	switch {
	case kind == "text":
		return readText
	case role == form.RoleUser:
		return userBlock(kind)
	case role == form.RoleAssistant:
		return assistantBlock(kind)
	}
	return nil
}

func userBlock(kind string) blockReader {
	switch kind {
	case "image":
		return readImage
	case "document":
		return readDocument
	case "search_result":
		return readSearchResult
	case "tool_result":
		return readResult
	}
	return nil
}

func assistantBlock(kind string) blockReader {
	switch kind {
	case "tool_use":
		return readCall
	case "thinking":
		return readThinking
	case "redacted_thinking":
		return readSealed
	}
	return nil
}

// mark sets the cache mark of the last of the new parts.
func mark(parts []form.Part, before int, n node) ([]form.Part, error) {
	cache, err := readCache(n)
	if err == nil && len(parts) > before {
		parts[len(parts)-1].Cache = cache
	}
	return parts, err
}

func readText(parts []form.Part, n node, o object) ([]form.Part, error) {
	text, err := o.get(n, "text").filled()
	return append(parts, form.Part{Kind: form.PartText, Text: text, Field: n.field}), err
}

// readCall reads a call. Its input is an object; a text is what could not be
// read as one when it came.
func readCall(parts []form.Part, n node, o object) ([]form.Part, error) {
	call := &form.Call{}
	var err error
	if call.ID, err = o.get(n, "id").filled(); err != nil {
		return nil, err
	}
	if call.Name, err = o.get(n, "name").filled(); err != nil {
		return nil, err
	}
	input := o.get(n, "input")
	switch input.value.Kind {
	case jsonscan.Object:
		call.Arguments = string(input.raw())
	case jsonscan.String:
		call.Arguments, err = input.text()
	default:
		err = input.wants("an object")
	}
	return append(parts, form.Part{Kind: form.PartCall, Call: call, Field: n.field}), err
}

// readThinking reads a thought, whoever signed it.
func readThinking(parts []form.Part, n node, o object) ([]form.Part, error) {
	text, err := o.get(n, "thinking").text()
	if err != nil {
		return nil, err
	}
	signature, err := o.get(n, "signature").optional()
	if err != nil {
		return nil, err
	}
	return append(parts, form.Part{
		Kind: form.PartReasoning, Text: text, Signature: form.ReadSignature(signature, origin), Field: n.field,
	}), nil
}

// readSealed reads a thought that only the provider can read.
func readSealed(parts []form.Part, n node, o object) ([]form.Part, error) {
	data, err := o.get(n, "data").filled()
	if err != nil {
		return nil, err
	}
	sealed := form.ReadSignature(data, origin)
	return append(parts, form.Part{
		Kind: form.PartReasoning, Sealed: sealed.Value, Signature: form.Signature{Origin: sealed.Origin}, Field: n.field,
	}), nil
}

// readResult reads what a tool answered.
func readResult(parts []form.Part, n node, o object) ([]form.Part, error) {
	result := &form.Result{}
	var err error
	if result.ID, err = o.get(n, "tool_use_id").filled(); err != nil {
		return nil, err
	}
	failed, err := o.get(n, "is_error").boolean()
	if err != nil {
		return nil, err
	}
	result.IsError = failed != nil && *failed
	if content := o.get(n, "content"); content.given() {
		if result.Parts, err = readResultContent(content); err != nil {
			return nil, err
		}
	}
	return append(parts, form.Part{Kind: form.PartResult, Result: result, Field: n.field}), nil
}

func readResultContent(n node) ([]form.Part, error) {
	if n.value.Kind == jsonscan.String {
		text, err := n.text()
		if err != nil || text == "" {
			return nil, err
		}
		return []form.Part{{Kind: form.PartText, Text: text, Field: n.field}}, nil
	}
	list, err := n.list(maxBlocks)
	if err != nil {
		return nil, err
	}
	var parts []form.Part
	for _, e := range list {
		switch kind, _ := jsonscan.Text(e.doc, jsonscan.Find(e.doc, e.value, "type")); kind {
		case "tool_result":
			return nil, e.invalid("must not be a result of a tool within another")
		case "tool_reference":
			parts, err = readReference(parts, e)
		default:
			parts, err = readBlock(parts, e, form.RoleUser)
		}
		if err != nil {
			return nil, err
		}
	}
	return parts, nil
}

// readReference reads what a search for tools found. Others are shown all tools
// from the beginning, so that its name is all there is to say.
func readReference(parts []form.Part, n node) ([]form.Part, error) {
	o, err := n.object()
	if err != nil {
		return nil, err
	}
	name, err := o.get(n, "tool_name").filled()
	return append(parts, form.Part{Kind: form.PartText, Text: "The tool " + name + " can be called.", Field: n.field}), err
}
