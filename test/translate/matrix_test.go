package translate_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
)

var update = flag.Bool("update", false, "write docs/dialects/MATRIX.md")

// matrixFile is what operators read.
const matrixFile = "../../docs/dialects/MATRIX.md"

// surfaces are the columns' other side: every API that clients speak.
var surfaces = []surface{chatSurface{}, responsesSurface{}, messagesSurface{}, generateSurface{}, generateSurface{array: true}}

// newUpstreams are one provider for each protocol, and some presets.
func newUpstreams() []*upstream {
	return []*upstream{
		{name: "openai", kind: "openai", protocol: chatAPI{}, settings: obj{"responses": false}, usual: "gpt-4.1", thinking: "gpt-5"},
		{name: "openai responses", kind: "openai", protocol: responsesAPI{}, settings: obj{"api": "responses"}, usual: "gpt-4.1", thinking: "gpt-5"},
		{name: "anthropic", kind: "anthropic", protocol: messagesAPI{}, usual: "claude-sonnet-4-5", thinking: "claude-sonnet-4-5"},
		{name: "gemini", kind: "gemini", protocol: generateAPI{}, usual: "gemini-2.5-flash", thinking: "gemini-3-pro-preview"},
		{name: "deepseek", kind: "deepseek", protocol: chatAPI{deepseek: true}, usual: "deepseek-chat", thinking: "deepseek-reasoner"},
		{name: "mistral", kind: "mistral", protocol: chatAPI{mistral: true}, usual: "mistral-large-latest", thinking: "mistral-large-latest"},
		{name: "qwen", kind: "qwen", protocol: chatAPI{rules: rulesOf["qwen"]}, usual: "qwen-max", thinking: "qwen-plus"},
		{name: "moonshot", kind: "moonshot", protocol: chatAPI{rules: rulesOf["moonshot"]}, usual: "kimi-k2-turbo", thinking: "kimi-k2-thinking"},
		{name: "groq", kind: "groq", protocol: chatAPI{rules: rulesOf["groq"]}, usual: "llama-3.3-70b-versatile", thinking: "openai/gpt-oss-120b"},
		{name: "ollama", kind: "ollama", protocol: chatAPI{rules: rulesOf["ollama"]}, usual: "llama3.2", thinking: "gpt-oss:20b"},
		{name: "zhipu", kind: "zhipu", protocol: chatAPI{rules: rulesOf["zhipu"]}, usual: "glm-4.6v", thinking: "glm-4.7"},
		{name: "doubao", kind: "doubao", protocol: chatAPI{rules: rulesOf["doubao"]}, usual: "doubao-seed-1-6-flash", thinking: "doubao-seed-1-6"},
		{name: "minimax", kind: "minimax", protocol: chatAPI{rules: rulesOf["minimax"]}, usual: "MiniMax-Text-01", thinking: "MiniMax-M2.1"},
		{name: "together", kind: "together", protocol: chatAPI{rules: rulesOf["together"]}, usual: "meta-llama/Llama-4-Maverick", thinking: "openai/gpt-oss-120b"},
		{name: "openrouter", kind: "openrouter", protocol: chatAPI{rules: rulesOf["openrouter"]}, usual: "meta-llama/llama-4-maverick", thinking: "deepseek/deepseek-r1"},
		{name: "vllm", kind: "vllm", protocol: chatAPI{rules: rulesOf["vllm"]}, usual: "qwen2.5-vl", thinking: "qwen3"},
		{name: "sglang", kind: "sglang", protocol: chatAPI{rules: rulesOf["sglang"]}, usual: "qwen2.5-vl", thinking: "qwen3"},
	}
}

// native tells whether a surface and an upstream speak the same protocol, so
// that bytes pass as they are.
func native(s surface, u *upstream) bool {
	switch u.protocol.(type) {
	case chatAPI:
		return s == surface(chatSurface{})
	case responsesAPI:
		return s == surface(responsesSurface{})
	case messagesAPI:
		return s == surface(messagesSurface{})
	}
	return s.auth() == u.credential()
}

// slug is a name that models and accounts can have.
func (u *upstream) slug() string { return strings.ReplaceAll(u.name, " ", "-") }

// modelFor is the client's name of the model that a cell asks for. Where a
// target fails, the next one has an account and a health of its own.
func modelFor(s surface, u *upstream, sc *scene, stream bool) string {
	switch {
	case sc.backup:
		return fmt.Sprintf("%s-%s-%v", u.slug(), strings.ReplaceAll(s.name(), " ", "-"), stream)
	case sc.ask.think:
		return u.slug() + "-thinks"
	}
	return u.slug()
}

// startAll starts the upstreams with a gateway in front of them.
func startAll(t *testing.T) (*plane, []*upstream) {
	ups := newUpstreams()
	var accounts []*sluice.Provider
	var p *plane
	for _, u := range ups {
		u.clientToken = func() string { return p.token }
		u.start(t)
		models := map[string]string{u.slug(): u.usual, u.slug() + "-thinks": u.thinking}
		for _, s := range surfaces {
			for _, stream := range []bool{false, true} {
				name := modelFor(s, u, &scene{backup: true}, stream)
				models[name] = u.usual
				accounts = append(accounts, u.account("account-broken-"+name, u.secret+secretBad, 0, map[string]string{name: u.usual}))
			}
		}
		accounts = append(accounts, u.account("account-"+u.slug(), u.secret, 1, models))
	}
	p = newPlane(t, sluice.Timeouts{}, accounts...)
	return p, ups
}

// cell is what became of one scenario.
type cell struct {
	surface, dialect, scene string
	stream                  bool
	// code and message are those of a refusal.
	code, message string
	dropped       string
}

// Every surface has to reach every dialect, in every scenario, streamed and
// whole: a cell that fails is a client whose software breaks at that provider, a
// request that its provider refuses, or money miscounted.
func TestMatrix(t *testing.T) {
	p, ups := startAll(t)
	var cells []cell
	for _, s := range surfaces {
		for _, u := range ups {
			for i := range scenes {
				for _, stream := range []bool{false, true} {
					if !stream && s == surface(generateSurface{array: true}) {
						continue
					}
					name := fmt.Sprintf("%s to %s/%s/stream=%v", s.name(), u.name, scenes[i].name, stream)
					t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
						x := &exchange{T: t, plane: p, surface: s, up: u, scene: &scenes[i], stream: stream}
						x.cell = cell{surface: s.name(), dialect: u.name, scene: scenes[i].name, stream: stream}
						x.play()
						cells = append(cells, x.cell)
					})
				}
			}
		}
	}
	others := operations(t)
	if t.Failed() {
		return
	}
	compareMatrix(t, renderMatrix(cells)+others)
}

// compareMatrix keeps the page true.
func compareMatrix(t *testing.T, got string) {
	if *update {
		if err := os.WriteFile(matrixFile, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(matrixFile)
	if err != nil || string(want) != got {
		t.Errorf("%s is not what this run found (%v): go test ./test/translate -run TestMatrix -update", matrixFile, err)
	}
}

// exchange plays one cell.
type exchange struct {
	*testing.T
	*plane
	surface surface
	up      *upstream
	scene   *scene
	stream  bool
	cell    cell
}

// play sends the rounds of the scene and checks what came of them.
func (x *exchange) play() {
	first, heard := x.round(nil)
	if first == nil || x.scene.results == nil || x.Failed() {
		return
	}
	second, again := x.round(first)
	if second == nil || x.Failed() {
		return
	}
	if told := heard.said.signature; again.signature != told {
		x.Errorf("the provider signed %q and got back %q", told, again.signature)
	}
	if d, ok := x.up.protocol.(chatAPI); ok && d.replays() && x.scene.ask.think && again.thought != heard.said.thought {
		x.Errorf("the provider thought %q and got back %q", heard.said.thought, again.thought)
	}
}

// round plays one request. It returns nothing when that was refused, or failed
// as it had to.
func (x *exchange) round(first *reply) (*reply, *told) {
	model := modelFor(x.surface, x.up, x.scene, x.stream)
	path, body := x.surface.request(x.scene, model, x.stream, first)
	a := x.send(x.T, path, x.surface.auth(), body)
	log := x.up.take()
	x.checkSecrets(&a, log)
	if x.Failed() {
		return nil, nil
	}
	if a.status != 200 {
		x.failed(&a, log)
		return nil, nil
	}
	if len(log) == 0 {
		x.Errorf("nobody was asked: %s", a.body)
		return nil, nil
	}
	if dropped := a.header.Get("X-Sluice-Dropped-Params"); !strings.Contains(x.cell.dropped, dropped) {
		x.cell.dropped = dropped
	}
	r := &reply{native: native(x.surface, x.up)}
	if x.stream {
		x.surface.stream(r, a.body)
	} else {
		x.surface.whole(r, a.body)
	}
	for _, wrong := range r.wrong {
		x.Errorf("%s\nof %s", wrong, a.body)
	}
	last := &log[len(log)-1]
	if x.Failed() {
		return nil, nil
	}
	if f := x.scene.fault; f != "" && !x.scene.backup {
		x.checkBroken(r, &a, last)
		return nil, nil
	}
	x.compare(r, &a, last)
	if x.Failed() {
		x.Logf("sent %s\nheard %s\ngot %s", body, last.body, a.body)
		return nil, nil
	}
	return r, last
}

// checkSecrets looks for the upstream's secrets in all that the client got, and
// for the client's in all that the upstream got.
func (x *exchange) checkSecrets(a *answer, log []told) {
	var all bytes.Buffer
	a.header.Write(&all)
	all.Write(a.body)
	host := strings.TrimPrefix(x.up.url, "http://")
	for _, secret := range []string{x.up.secret, host, "secret-engine", "upstream=1", "account-", "their-model-secret"} {
		if strings.Contains(all.String(), secret) {
			x.Errorf("%q reached the client: %s", secret, all.String())
		}
	}
	for _, l := range log {
		for _, leak := range l.leaks {
			x.Errorf("the upstream got %s", leak)
		}
		if len(l.wrong) > 0 && !native(x.surface, x.up) {
			x.Errorf("the provider refuses %q of %s", l.wrong, l.body)
		}
	}
}

// failed checks an answer that is an error: one that the scene provokes, or a
// refusal of what the target cannot express.
func (x *exchange) failed(a *answer, log []told) {
	code, _, ok := x.surface.fault(a.body)
	if !ok || code != string(a.record.Code) {
		x.Errorf("%d %s is no error of this surface, or not %s", a.status, a.body, a.record.Code)
	}
	if a.record.Usage != (sluice.Usage{}) || a.record.Status != a.status {
		x.Errorf("the record of an error: %+v", a.record)
	}
	if f := x.scene.fault; f != "" && !x.scene.backup && len(log) > 0 && len(log[len(log)-1].wrong) == 0 {
		early := f == faultBefore || !x.stream
		if !early || a.status < 500 || a.record.Outcome != sluice.OutcomeError || code != string(sluice.CodeProviderError) {
			x.Errorf("%d %s, recorded as %s", a.status, a.body, a.record.Outcome)
		}
		return
	}
	x.cell.code, x.cell.message = code, messageOf(a.body)
	switch {
	case a.status != 400:
		x.Errorf("%d %s", a.status, a.body)
	case code == string(sluice.CodeProviderRefused) && native(x.surface, x.up):
		x.cell.message = "the provider's own answer"
	case len(log) > 0 || a.record.Outcome != sluice.OutcomeRefused && a.record.Outcome != sluice.OutcomeError:
		x.Errorf("a refusal cost an attempt: %+v %v", a.record, log)
	}
}

// messageOf is an error's message, in any surface's shape.
func messageOf(body []byte) string {
	_, rest, _ := strings.Cut(string(body), `"message":"`)
	message, _, _ := strings.Cut(rest, `"`)
	return message
}

// checkBroken checks a stream that was cut behind its first content: what came
// stays, and the end is an error and nothing else.
func (x *exchange) checkBroken(r *reply, a *answer, heard *told) {
	if r.ended || !r.broke || r.reason != "" || r.text == "" || !strings.HasPrefix(heard.said.text, r.text) {
		x.Errorf("a broken stream looks whole, or has no error: %+v of %s", r, a.body)
	}
	if a.record.Outcome != sluice.OutcomeIncomplete || a.record.Code != sluice.CodeProviderError || r.fault != string(sluice.CodeProviderError) {
		x.Errorf("recorded as %s %s, told as %q in %s", a.record.Outcome, a.record.Code, r.fault, a.body)
	}
}

// compare checks that the client read what the provider told, and that the
// books say what was used.
func (x *exchange) compare(r *reply, a *answer, heard *told) {
	want := x.surface.shows(heard.said)
	if d, ok := x.up.protocol.(chatAPI); ok && r.native && r.reason == d.reason(heard.said.stop) {
		r.reason = chatReasons[heard.said.stop] // the provider's own word passes
	}
	if !r.ended || r.broke {
		x.Errorf("the answer did not end")
	}
	for _, pair := range [][3]string{{"text", r.text, want.text}, {"thought", r.thought, want.thought}, {"refusal", r.refusal, want.refusal}, {"reason", r.reason, x.surface.reason(heard.said)}, {"sequence", r.sequence, want.sequence}} {
		if pair[1] != pair[2] {
			x.Errorf("%s is %.200q, the provider told %.200q", pair[0], pair[1], pair[2])
		}
	}
	x.compareCalls(r, want.calls)
	if model := modelFor(x.surface, x.up, x.scene, x.stream); r.model != model && !r.native {
		x.Errorf("the model is %q, the client asked for %q", r.model, model)
	}
	for name, tokens := range x.surface.usage(heard.said.usage) {
		if r.usage[name] != tokens {
			x.Errorf("usage %s is %d, the provider stated %d", name, r.usage[name], tokens)
		}
	}
	rec := &a.record
	if rec.Usage != heard.said.usage || rec.UsageSource != sluice.UsageProvider || rec.Outcome != sluice.OutcomeComplete || rec.Stream != x.stream {
		x.Errorf("the record says %+v (%s), %s; the provider stated %+v", rec.Usage, rec.UsageSource, rec.Outcome, heard.said.usage)
	}
	attempts := 1
	if x.scene.backup {
		attempts = 2
	}
	if len(rec.Attempts) != attempts {
		x.Errorf("attempts: %+v", rec.Attempts)
	}
	if heard.heard.model != x.up.usual && heard.heard.model != x.up.thinking {
		x.Errorf("the provider was asked for %q", heard.heard.model)
	}
	if x.scene.ask.schema && x.cell.dropped == "" && !strings.Contains(heard.schema, `"days"`) {
		x.Errorf("the schema was lost")
	}
	if x.scene.ask.stop != "" && x.cell.dropped == "" && x.surface != surface(responsesSurface{}) && !slices.Contains(heard.stops, endMark) {
		x.Errorf("the stop sequence was lost")
	}
}

// compareCalls checks names, arguments and ids.
func (x *exchange) compareCalls(r *reply, want []call) {
	if len(r.calls) != len(want) {
		x.Errorf("%d calls, the provider made %d", len(r.calls), len(want))
		return
	}
	ids := map[string]bool{"": !r.native}
	for i, c := range r.calls {
		if c.name != want[i].name || !sameJSON(c.args, want[i].args) && !(r.native && c.args == "") || ids[c.id] && !(r.native && c.id == "") {
			x.Errorf("call %d is %v, the provider made %v", i, c, want[i])
		}
		ids[c.id] = true
	}
}

// renderMatrix writes the page.
func renderMatrix(cells []cell) string {
	var b strings.Builder
	b.WriteString(`# What translates

Written by ` + "`go test ./test/translate -run TestMatrix -update`" + ` and checked by the same test: every surface in front of every dialect, in ` + fmt.Sprint(len(scenes)) + ` scenarios, whole and streamed. The providers are scripts that refuse what the real ones refuse. A cell passes when the provider accepts the request, gets all of what the client said and none of its credentials, when the client reads exactly what the provider told, in its own protocol's order, and when the record counts what the provider stated.

| from | ` + strings.Join(columns(cells), " | ") + ` |
|---|` + strings.Repeat("---|", len(columns(cells))) + "\n")
	for _, s := range surfaces {
		fmt.Fprintf(&b, "| %s |", s.name())
		for _, d := range columns(cells) {
			b.WriteString(" " + count(cells, s.name(), d) + " |")
		}
		b.WriteString("\n")
	}
	b.WriteString("\nThe scenarios: ")
	for i := range scenes {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(scenes[i].name)
	}
	b.WriteString(".\n\n## What is refused\n\nBefore it costs anything, with 400, where leaving it out would change what was asked. Between equals the provider itself refuses.\n\n| scenario | from | to | code | message |\n|---|---|---|---|---|\n")
	b.WriteString(rows(cells, func(c *cell) string {
		if c.code == "" {
			return ""
		}
		return c.code + " | " + c.message
	}))
	b.WriteString("\n## What is left out\n\nNamed in `X-Sluice-Dropped-Params`; a model whose policy is `strict` refuses instead.\n\n| scenario | from | to | parameters |\n|---|---|---|---|\n")
	b.WriteString(rows(cells, func(c *cell) string { return c.dropped }))
	return b.String()
}

// columns are the dialects in order.
func columns(cells []cell) (names []string) {
	for _, c := range cells {
		if !slices.Contains(names, c.dialect) {
			names = append(names, c.dialect)
		}
	}
	return names
}

// count says how many cells of a pair passed, and how many were refused.
func count(cells []cell, surface, dialect string) string {
	passed := 0
	refused := map[string]int{}
	var codes []string
	for _, c := range cells {
		switch {
		case c.surface != surface || c.dialect != dialect:
		case c.code == "":
			passed++
		default:
			if refused[c.code]++; refused[c.code] == 1 {
				codes = append(codes, c.code)
			}
		}
	}
	text := fmt.Sprintf("%d passed", passed)
	for _, code := range codes {
		text += fmt.Sprintf(", %d refused %s", refused[code], code)
	}
	return text
}

// rows lists the cells that have something to tell, whole and streamed as one
// where they agree.
func rows(cells []cell, tell func(*cell) string) string {
	var b strings.Builder
	for i := range scenes {
		for j := range cells {
			c := &cells[j]
			told := tell(c)
			if c.scene != scenes[i].name || told == "" {
				continue
			}
			same := func(o *cell) bool {
				return o.scene == c.scene && o.surface == c.surface && o.dialect == c.dialect && o.stream != c.stream && tell(o) == told
			}
			if c.stream && slices.ContainsFunc(cells, func(o cell) bool { return same(&o) }) {
				continue
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", c.scene, c.surface, c.dialect, told)
		}
	}
	return b.String()
}
