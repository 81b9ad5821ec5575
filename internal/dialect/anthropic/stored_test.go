package anthropic_test

import (
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect/anthropic"
)

// Files and containers of one tenant lie beside those of another: a name that is
// passed on opens somebody else's.
func TestReferencesToSharedObjectsAreRefused(t *testing.T) {
	content := func(blocks string) string {
		return `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":[` + blocks + `]}]}`
	}
	for body, want := range map[string]string{
		content(`{"type":"document","source":{"type":"file","file_id":"f"}}`):                                                   "/messages/0/content/0/source/file_id",
		content(`{"type":"image","source":{"type":"file","file_id":null,"file_id":"f"}}`):                                       "/messages/0/content/0/source/file_id",
		content(`{"type":"image","source":{"type":"file","file\u005fid":"f"}}`):                                                 "/messages/0/content/0/source/file_id",
		content(`{"type":"container_upload","file_id":"f"}`):                                                                    "/messages/0/content/0/file_id",
		content(`{"type":"tool_result","tool_use_id":"t","content":[{"type":"image","source":{"type":"file","file_id":"f"}}]}`): "/messages/0/content/0/content/0/source/file_id",
		`{"model":"m","max_tokens":9,"container":"c","messages":[{"role":"user","content":"x"}]}`:                               "/container",
		`{"model":"m","max_tokens":9,"container":{"id":"c"},"messages":[{"role":"user","content":"x"}]}`:                        "/container",
		`{"model":"m","max_tokens":9,"container":{"skills":[]},"messages":[{"role":"user","content":"say \"file_id\""}]}`:       "",
	} {
		head := &sluice.Head{Method: "POST", Path: "/v1/messages"}
		head.Fields.Add("Content-Type", "application/json")
		op, err := anthropic.Surface{}.Operation("POST", "/v1/messages")
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if _, err := (anthropic.Surface{}).Ask(op, head, []byte(body)); err != nil {
			got = sluice.AsError(err).Field
		}
		if got != want {
			t.Errorf("%s: refused at %q", body, got)
		}
	}
}
