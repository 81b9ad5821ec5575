package sdk_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/test/process"
)

// agentTimeout is the longest run of an agent; seconds are usual.
const agentTimeout = 3 * time.Minute

// installed is a coding agent as it comes from npm (test/sdk/agents).
type installed struct {
	name    string
	npm     string // its package
	program string // for Node, within the package
	targets []string
	// script is what the providers make it do. $DIR is the folder it works in;
	// notes.txt and dot.png lie in it, missing.txt does not.
	script   []string
	settings map[string]string // files in its home
	env      []string
	args     []string
	// ended returns the last thing that it said, and what is wrong with its end.
	ended func(printed []object) (text string, wrong any)
}

// ending is what every script says last, written is what the agent wrote.
const (
	ending  = "say The answer is written."
	written = "forty-two\n"
)

var installedAgents = []installed{
	{
		name: "claude-code", npm: "@anthropic-ai/claude-code", program: "cli-wrapper.cjs", targets: []string{"compatible", "responses", "gemini"},
		script: []string{
			`think Look first. && say I list the files. && call Bash {"command":"ls","description":"List files"}`,
			`call Read {"file_path":"$DIR/notes.txt"} && call Read {"file_path":"$DIR/missing.txt"}`,
			`call Read {"file_path":"$DIR/dot.png"}`,
			`call ToolSearch {"query":"select:NotebookEdit","max_results":1}`,
			`think Now write. && call Write {"file_path":"$DIR/answer.txt","content":"forty-two\n"}`,
			ending,
		},
		env: []string{"ANTHROPIC_BASE_URL=$GATEWAY", "ANTHROPIC_AUTH_TOKEN=$KEY", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1"},
		args: []string{"--print", "$PROMPT", "--output-format", "stream-json", "--verbose",
			"--allowedTools", "Bash", "Read", "Write", "ToolSearch"},
		ended: claudeCodeEnded,
	},
	{
		// A name that it does not know: tools are plain functions.
		name: "codex", npm: "@openai/codex", program: "bin/codex.js", targets: []string{"compatible", "anthropic", "gemini"},
		script: []string{
			`think Look first. && call exec_command {"cmd":"ls"}`,
			`call exec_command {"cmd":"cat notes.txt"} && call exec_command {"cmd":"cat missing.txt"}`,
			`call view_image {"path":"$DIR/dot.png"}`,
			`think Now write. && call exec_command {"cmd":"echo forty-two > answer.txt"}`,
			ending,
		},
		settings: map[string]string{".codex/config.toml": codexConfig},
		env:      []string{"SLUICE_KEY=$KEY", "CODEX_HOME=$HOME/.codex"},
		args:     []string{"exec", "--json", "--skip-git-repo-check", "--sandbox", "danger-full-access", "--model", "any", "$PROMPT"},
		ended:    codexEnded,
	},
	{
		// The model that it takes by itself: tools are programs of JavaScript,
		// and stand among the input.
		name: "codex-code-mode", npm: "@openai/codex", program: "bin/codex.js", targets: []string{"compatible", "anthropic", "gemini"},
		script: []string{
			`think Look first. && call functions__exec {"input":"text(await tools.exec_command({cmd: 'cat notes.txt'}))"}`,
			`call functions__exec {"input":"text(await tools.exec_command({cmd: 'echo forty-two > answer.txt'}))"}`,
			ending,
		},
		settings: map[string]string{".codex/config.toml": codexConfig},
		env:      []string{"SLUICE_KEY=$KEY", "CODEX_HOME=$HOME/.codex"},
		args:     []string{"exec", "--json", "--skip-git-repo-check", "--sandbox", "danger-full-access", "$PROMPT"},
		ended:    codexEnded,
	},
	{
		name: "gemini-cli", npm: "@google/gemini-cli", program: "bundle/gemini.js", targets: []string{"compatible", "responses", "anthropic"},
		script: []string{
			`think Look first. && call list_directory {"dir_path":"."}`,
			`call read_file {"file_path":"notes.txt"} && call read_file {"file_path":"missing.txt"}`,
			`call read_file {"file_path":"dot.png"}`,
			`think Now write. && call write_file {"file_path":"$DIR/answer.txt","content":"forty-two\n"}`,
			ending,
		},
		settings: map[string]string{".gemini/settings.json": geminiCLISettings},
		env:      []string{"GOOGLE_GEMINI_BASE_URL=$GATEWAY", "GEMINI_API_KEY=$KEY"},
		args: []string{"--model", "gemini-3.1-pro-preview", "--approval-mode", "yolo", "--skip-trust",
			"--output-format", "stream-json", "--prompt", "$PROMPT"},
		ended: geminiCLIEnded,
	},
}

// codexConfig names the provider and turns off what asks other hosts.
const codexConfig = `model_provider = "sluice"
check_for_update_on_startup = false

[features]
apps = false
plugins = false

[analytics]
enabled = false

[model_providers.sluice]
name = "Sluice"
base_url = "$GATEWAY/v1"
env_key = "SLUICE_KEY"
wire_api = "responses"
`

// geminiCLISettings choose the key, and turn off what asks other hosts.
const geminiCLISettings = `{
  "security": {"auth": {"selectedType": "gemini-api-key"}},
  "general": {"enableAutoUpdate": false, "enableAutoUpdateNotification": false},
  "privacy": {"usageStatisticsEnabled": false},
  "telemetry": {"enabled": false}
}`

// TestInstalledAgents has the agents themselves work through rounds of their own
// tools for providers whose protocols they do not speak. What they send changes
// from one version to the next; a recording does not notice.
func TestInstalledAgents(t *testing.T) {
	modules := os.Getenv("SLUICE_TEST_AGENTS")
	if modules == "" {
		t.Skip("the agents are large and change often, so they are run on demand only; make agents installs and runs them")
	}
	for _, a := range installedAgents {
		if _, err := os.Stat(filepath.Join(modules, a.npm, a.program)); err != nil {
			t.Fatal(err) // who asks for them wants them run
		}
		all := &sent{shape{}, shape{}}
		for _, target := range a.targets {
			t.Run(a.name+"/"+target, func(t *testing.T) { a.work(t, modules, newDesk(t, target), all) })
		}
		if !t.Failed() {
			all.compare(t, a, a.version(t, modules))
		}
	}
}

// desk is where an agent works: a gateway with one provider, a folder, a home.
type desk struct {
	between           *between
	key               string
	dir, home, folder string
}

// newDesk starts a gateway whose one provider answers for every model that an
// agent may name.
func newDesk(t *testing.T, target string) desk {
	t.Helper()
	p := process.Start(t, process.Options{})
	admin := p.Admin(t)
	if _, err := admin.Providers().Create(t.Context(), onlyProvider(t, target), sluice.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	model := sluice.Model{Meta: named("any"), Patterns: []string{"(claude|gpt|gemini)-.*"}}
	if _, err := admin.Models().Create(t.Context(), model, sluice.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	key, err := admin.Keys().Create(t.Context(), sluice.Key{Meta: sluice.Meta{Name: "agents"}, RPM: new(int64(0)), TPM: new(int64(0))}, sluice.WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	d := desk{between: newBetween(t, p.Gateway), key: key.Token, dir: t.TempDir(), home: t.TempDir(), folder: t.TempDir()}
	dot, err := base64.StdEncoding.DecodeString("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(d.dir, "dot.png"), dot)
	put(t, filepath.Join(d.dir, "notes.txt"), []byte(notes))
	return d
}

// notes are what the agent reads.
const notes = "The question was lost.\n"

// onlyProvider is a scripted provider that serves the model "any".
func onlyProvider(t *testing.T, target string) sluice.Provider {
	p := sluice.Provider{Meta: named(target), Models: []string{"any"}}
	switch target {
	case "anthropic":
		p.Type, p.BaseURL, p.APIKey = "anthropic", newAnthropic(t).server.URL, anthropicKey
		p.ModelMap = map[string]string{"any": "claude-sonnet-4-5"}
	case "gemini":
		p.Type, p.BaseURL, p.APIKey = "gemini", newGemini(t).server.URL+"/v1beta", geminiKey
		p.ModelMap = map[string]string{"any": "gemini-3-pro-preview"}
	case "compatible":
		p.Type, p.BaseURL, p.APIKey = "openai-compatible", newOpenAI(t).server.URL+"/v1", openAIKey
		p.ModelMap = map[string]string{"any": compatibleModel}
	case "responses":
		p.Type, p.BaseURL, p.APIKey = "openai", newOpenAI(t).server.URL+"/v1", openAIKey
		p.ModelMap, p.Settings = map[string]string{"any": "gpt-5-mini"}, map[string]any{"api": "responses"}
	default:
		t.Fatalf("no provider speaks %q", target)
	}
	return p
}

func put(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// work runs the agent to its end and checks what it did.
func (a installed) work(t *testing.T, modules string, d desk, all *sent) {
	t.Helper()
	printed := a.run(t, modules, d)
	text, wrong := a.ended(printed)
	if want := strings.TrimPrefix(ending, "say "); text != want || wrong != nil {
		t.Errorf("it ends with %q, want %q: %v", text, want, wrong)
	}
	if got, err := os.ReadFile(filepath.Join(d.dir, "answer.txt")); err != nil || string(got) != written {
		t.Errorf("it wrote %q, want %q: %v", got, written, err)
	}
	d.between.check(t, len(a.script))
	all.add(t, d.between.conversations())
}

// run starts the agent in an environment of its own, and returns the documents
// that it printed.
func (a installed) run(t *testing.T, modules string, d desk) []object {
	t.Helper()
	script := scriptWord + strings.ReplaceAll(strings.Join(a.script, "\n"), "$DIR", d.dir)
	fill := strings.NewReplacer("$GATEWAY", d.between.url, "$KEY", d.key, "$PROMPT", script, "$HOME", d.home)
	for path, text := range a.settings {
		put(t, filepath.Join(d.home, path), []byte(fill.Replace(text)))
	}
	args := []string{filepath.Join(modules, a.npm, a.program)}
	for _, arg := range a.args {
		args = append(args, fill.Replace(arg))
	}
	ctx, cancel := context.WithTimeout(t.Context(), agentTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", args...)
	cmd.Dir = d.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + d.home, "TMPDIR=" + d.folder,
		"HTTPS_PROXY=" + d.between.wall, "HTTP_PROXY=" + d.between.wall, "NO_PROXY=127.0.0.1"}
	for _, entry := range a.env {
		cmd.Env = append(cmd.Env, fill.Replace(entry))
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Errorf("%v\n%.4000s\n%.2000s\n%s", err, &stdout, &stderr, d.between.told())
	}
	return documents(stdout.Bytes())
}

// documents are the lines that hold one each.
func documents(printed []byte) []object {
	var all []object
	for line := range bytes.Lines(printed) {
		var o object
		if json.Unmarshal(line, &o) == nil {
			all = append(all, o)
		}
	}
	return all
}

func claudeCodeEnded(printed []object) (text string, wrong any) {
	wrong = io.ErrUnexpectedEOF
	for _, o := range printed {
		if o["type"] != "result" {
			continue
		}
		text, _ = o["result"].(string)
		if wrong = o; o["subtype"] == "success" && o["is_error"] == false {
			wrong = nil
		}
	}
	return text, wrong
}

func codexEnded(printed []object) (text string, wrong any) {
	wrong = io.ErrUnexpectedEOF
	for _, o := range printed {
		item, _ := o["item"].(object)
		switch {
		case o["type"] == "turn.completed":
			wrong = nil
		case o["type"] == "item.completed" && item["type"] == "agent_message":
			text, _ = item["text"].(string)
		}
	}
	return text, wrong
}

func geminiCLIEnded(printed []object) (text string, wrong any) {
	wrong = io.ErrUnexpectedEOF
	for _, o := range printed {
		switch piece, _ := o["content"].(string); {
		case o["type"] == "message" && o["role"] == "assistant":
			text += piece
		case o["type"] == "result":
			if wrong = o; o["status"] == "success" {
				wrong = nil
			}
		}
	}
	return text, wrong
}
