// Package demo is a provider without a network: it answers chats, completions
// and embeddings in process, in the bytes a real one would send, so that the
// first run needs no account anywhere and tests need no luck. Equal seeds and
// requests give equal answers.
//
// Start at [New]. What it writes passes through the same code as the answers of
// real targets (package openai); it knows nothing of keys, prices or routes.
package demo

import (
	"math"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/internal/dialect/openai"
)

// Name is the name of the dialect.
const Name = "demo"

// Config is what the dialect needs from outside.
type Config struct {
	// Now stamps answers with their time of creation; nil means [time.Now].
	Now func() time.Time
}

// Dialect is the demo provider's dialect. It is safe for concurrent use.
type Dialect struct {
	wire dialect.Dialect
	now  func() time.Time
}

var _ dialect.Dialect = (*Dialect)(nil)

// New returns the dialect.
func New(cfg Config) *Dialect {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	for _, d := range openai.Dialects() {
		if d.Name() == "openai-compatible" {
			return &Dialect{wire: d, now: cfg.Now}
		}
	}
	panic("demo: package openai has lost its compatible dialect")
}

// Name returns [Name].
func (*Dialect) Name() string { return Name }

// settings are what Provider.Settings may hold.
type settings struct {
	// seed varies the answers.
	seed int64
	// firstToken and delay are the pause before the first token and before each
	// later one.
	firstToken, delay time.Duration
	// tokens is the length of an answer; 0 lets it be as long as it is.
	tokens int64
}

// Limits of the settings.
const (
	maxPause  = 60_000    // ms
	maxTokens = 1_000_000 // tokens in one answer
)

// readSettings reads seed, first_token_ms, delay_ms and tokens.
func readSettings(m map[string]any) (settings, error) {
	var s settings
	for name, value := range m {
		n, ok := integer(value)
		bad := sluice.Errorf(sluice.CodeInvalidRequest, "the setting must be an integer within its bounds").At("/settings/" + name)
		switch name {
		case "seed":
			s.seed = n
		case "first_token_ms":
			s.firstToken = time.Duration(n) * time.Millisecond
			ok = ok && n >= 0 && n <= maxPause
		case "delay_ms":
			s.delay = time.Duration(n) * time.Millisecond
			ok = ok && n >= 0 && n <= maxPause
		case "tokens":
			s.tokens = n
			ok = ok && n >= 0 && n <= maxTokens
		default:
			return s, sluice.Errorf(sluice.CodeInvalidRequest, "unknown setting; seed, first_token_ms, delay_ms and tokens are known").At("/settings/" + name)
		}
		if !ok {
			return s, bad
		}
	}
	return s, nil
}

// integer reads a number as JSON or Go code left it.
func integer(v any) (int64, bool) {
	switch n := v.(type) {
	case int:
		return int64(n), true
	case int64:
		return n, true
	case float64:
		return int64(n), n == math.Trunc(n) && math.Abs(n) < 1<<53
	case interface{ Int64() (int64, error) }:
		i, err := n.Int64()
		return i, err == nil
	}
	return 0, false
}

// Check implements [dialect.Dialect].
func (*Dialect) Check(p *sluice.Provider) error {
	if p.BaseURL != "" {
		return sluice.Errorf(sluice.CodeInvalidRequest, "a demo provider has no base_url").At("/base_url")
	}
	_, err := readSettings(p.Settings)
	return err
}

// Open implements [dialect.Dialect] for chats, completions and embeddings, and
// for whatever can be translated into them.
func (d *Dialect) Open(ask *dialect.Ask, account dialect.Account) (dialect.Leg, error) {
	if ask.Front == nil && !answers(ask.Operation.Path) {
		return nil, sluice.Errorf(sluice.CodeUnsupported, "the demo provider does not answer %s", ask.Operation.Path)
	}
	s, err := readSettings(account.Provider.Settings)
	if err != nil {
		return nil, err
	}
	// The call is made as if to a target of the compatible dialect, and never
	// leaves the process.
	stand := *account.Provider
	stand.BaseURL, stand.Settings = "http://demo.invalid/v1", nil
	account.Provider, account.APIKey = &stand, ""
	wire, err := d.wire.Open(ask, account)
	if err != nil {
		return nil, err
	}
	return &leg{Leg: wire, outbound: &outbound{settings: s, now: d.now}}, nil
}

// answers reports whether there is an answer for a path of the OpenAI surface.
func answers(path string) bool {
	return path == "/chat/completions" || path == "/completions" || path == "/embeddings"
}

// leg is a leg whose target is in process.
type leg struct {
	dialect.Leg
	outbound *outbound
}

// Complete implements [dialect.Completer].
func (l *leg) Complete() bool { return dialect.Complete(l.Leg) }

// Outbound implements [dialect.Leg]; a leg that answers by itself needs no
// provider.
func (l *leg) Outbound() sluice.Outbound {
	if own := l.Leg.Outbound(); own != nil {
		return own
	}
	return l.outbound
}
