package sdk_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/test/process"
)

// agent is a coding agent as [TestInstalledAgents] recorded it: its requests
// (testdata/agents) in words of our own, and what it makes of the answers.
type agent struct {
	name   string
	path   string // $MODEL is the model's name
	header map[string]string
	script string
	// told reads the events of an answer, adds the turn and the results of its
	// calls to the next request, and returns the text and the number of calls.
	told func(t *testing.T, events []object, request object) (text string, calls int)
}

var agents = []agent{
	{
		name: "claude-code", path: "/v1/messages?beta=true", told: claudeCodeTold,
		header: map[string]string{"Authorization": "Bearer ", "Anthropic-Version": "2023-06-01", "X-App": "cli",
			"Anthropic-Beta": "claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27,mid-conversation-tool-changes-2026-07-01," +
				"thinking-token-count-2026-05-13,advanced-tool-use-2025-11-20,effort-2025-11-24,thinking-display-updates-2026-08-18"},
		script: "think Look first. && say I list the files. && call Bash {\"command\":\"ls\"} && call mcp__tracker__list_items {}\n" +
			"think Now read. && call Read {\"file_path\":\"go.mod\",\"offset\":20}\nsay $results",
	},
	{
		name: "codex", path: "/v1/responses", told: codexTold,
		header: map[string]string{"Authorization": "Bearer ", "Originator": "codex_exec", "Session-Id": "0198c1f0-6d0f-7b52-a7a5-1f0d9f6f5c11"},
		script: "think Look first. && call exec_command {\"cmd\":\"ls\"}\ncall exec_command {\"cmd\":\"cat go.mod\"} && call get_goal {}\nsay $results",
	},
	{
		name: "codex-code-mode", path: "/v1/responses", told: codexTold,
		header: map[string]string{"Authorization": "Bearer ", "Originator": "codex_exec", "X-Openai-Internal-Codex-Responses-Lite": "true"},
		script: "think Look first. && call functions__ask {\"questions\":[\"May I?\"]}\ncall functions__ask {\"questions\":[\"Again?\"]}\nsay $results",
	},
	{
		name: "gemini-cli", path: "/v1beta/models/$MODEL:streamGenerateContent?alt=sse", told: geminiCLITold,
		header: map[string]string{"X-Goog-Api-Key": "", "X-Goog-Api-Client": "google-genai-sdk/1.30.0 gl-node/v20"},
		script: "think Look first. && call list_directory {\"dir_path\":\".\"} && call run_shell_command {\"command\":\"ls\"}\n" +
			"call run_shell_command {\"command\":\"cat go.mod\"}\nsay $results",
	},
}

// TestAgents replays the agents through several rounds of tools against every
// provider. Agents send what few other clients do; one odd member that is refused
// makes them useless.
func TestAgents(t *testing.T) {
	p := process.Start(t, process.Options{})
	admin := p.Admin(t)
	newTargets(t).install(t, admin)
	key, err := admin.Keys().Create(t.Context(), sluice.Key{Meta: sluice.Meta{Name: "agents"}, RPM: new(int64(0)), TPM: new(int64(0))}, sluice.WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range agents {
		for _, target := range []string{"openai", "responses", "anthropic", "gemini"} {
			t.Run(a.name+"/"+target, func(t *testing.T) { a.work(t, p.Gateway, key.Token, target+"-chat") })
		}
	}
}

// work runs the agent until it has nothing left to call.
func (a agent) work(t *testing.T, gateway, key, model string) {
	t.Helper()
	request := a.request(t, model)
	var results []string
	for round := range 5 {
		text, calls := a.told(t, a.ask(t, gateway, key, model, request), request)
		if calls == 0 {
			if want := strings.Join(results, " | "); round != 2 || text != want {
				t.Errorf("round %d ends with %q, want %q", round, text, want)
			}
			return
		}
		for i := range calls {
			results = append(results, result(i))
		}
	}
	t.Error("it never ends")
}

// result is what the i-th call of an answer gives.
func result(i int) string { return fmt.Sprintf("result %d", i) }

// request is the agent's first one.
func (a agent) request(t *testing.T, model string) object {
	t.Helper()
	fixture, err := os.ReadFile("testdata/agents/" + a.name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	said := strings.Trim(encoded(scriptWord+a.script), `"`)
	var request object
	if err := json.Unmarshal([]byte(strings.NewReplacer("$MODEL", model, "$SCRIPT", said).Replace(string(fixture))), &request); err != nil {
		t.Fatal(err)
	}
	return request
}

// ask sends a request and reads the events of the answer.
func (a agent) ask(t *testing.T, gateway, key, model string, request object) []object {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, gateway+strings.ReplaceAll(a.path, "$MODEL", model), strings.NewReader(encoded(request)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for name, value := range a.header {
		if name == "Authorization" || name == "X-Goog-Api-Key" {
			value += key
		}
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %v: %s", resp.Status, err, body)
	}
	var events []object
	for lines := bufio.NewScanner(bytes.NewReader(body)); lines.Scan(); {
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			var event object
			if err := json.Unmarshal([]byte(data), &event); err != nil {
				t.Fatalf("%v: %s", err, data)
			}
			events = append(events, event)
		}
	}
	return events
}

// claudeCodeTold joins blocks as they are told, and returns them as they were.
func claudeCodeTold(t *testing.T, events []object, request object) (text string, calls int) {
	var blocks, results []any
	arguments := ""
	for _, e := range events {
		switch e["type"] {
		case "content_block_start":
			blocks, arguments = append(blocks, e["content_block"]), ""
		case "content_block_delta":
			block, delta := blocks[len(blocks)-1].(object), e["delta"].(object)
			for _, member := range []string{"text", "thinking", "signature"} {
				if piece, ok := delta[member].(string); ok {
					had, _ := block[member].(string)
					block[member] = had + piece
				}
			}
			if piece, ok := delta["partial_json"].(string); ok {
				arguments += piece
			}
		case "content_block_stop":
			block := blocks[len(blocks)-1].(object)
			if block["type"] == "text" {
				text += block["text"].(string)
			}
			if block["type"] == "tool_use" {
				block["input"] = json.RawMessage(arguments)
				results = append(results, object{"type": "tool_result", "tool_use_id": block["id"], "content": []any{object{"type": "text", "text": result(calls)}}})
				calls++
			}
		case "error":
			t.Fatalf("%v", e)
		}
	}
	add(request, "messages", object{"role": "assistant", "content": blocks})
	if calls > 0 {
		add(request, "messages", object{"role": "user", "content": results})
	}
	return text, calls
}

// codexTold keeps the items that are done.
func codexTold(t *testing.T, events []object, request object) (text string, calls int) {
	var outputs []any
	for _, e := range events {
		item, _ := e["item"].(object)
		switch {
		case e["type"] == "response.failed":
			t.Fatalf("%v", e)
		case e["type"] != "response.output_item.done":
			continue
		case item["type"] == "message":
			text += item["content"].([]any)[0].(object)["text"].(string)
		case item["type"] == "function_call":
			outputs = append(outputs, object{"type": "function_call_output", "id": fmt.Sprint("fco_", calls), "call_id": item["call_id"], "output": result(calls)})
			calls++
		}
		add(request, "input", item)
	}
	for _, output := range outputs {
		add(request, "input", output)
	}
	return text, calls
}

// geminiCLITold keeps the parts, signatures included.
func geminiCLITold(t *testing.T, events []object, request object) (text string, calls int) {
	var parts, results []any
	for _, e := range events {
		candidates, ok := e["candidates"].([]any)
		if !ok {
			t.Fatalf("%v", e)
		}
		content, _ := candidates[0].(object)["content"].(object)
		told, _ := content["parts"].([]any)
		for _, p := range told {
			part := p.(object)
			if said, ok := part["text"].(string); ok && part["thought"] != true {
				text += said
			}
			if part["text"] == "" {
				continue
			}
			parts = append(parts, part)
			if call, ok := part["functionCall"].(object); ok {
				results = append(results, object{"functionResponse": object{"id": call["id"], "name": call["name"], "response": object{"output": result(calls)}}})
				calls++
			}
		}
	}
	add(request, "contents", object{"role": "model", "parts": parts})
	if calls > 0 {
		add(request, "contents", object{"role": "user", "parts": results})
	}
	return text, calls
}

// add appends to a list of the request.
func add(request object, list string, item any) {
	had, _ := request[list].([]any)
	request[list] = append(had, item)
}
