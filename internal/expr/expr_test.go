package expr_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/expr"
)

type vars map[string]string

func (v vars) Var(name string) (string, bool) { s, ok := v[name]; return s, ok }

var request = vars{
	"arg_x": "1", "arg_list": "a, b,c", "arg_empty": "", "http_user_agent": "Curl/8",
	"remote_addr": "10.1.2.3", "mapped": "::ffff:10.1.2.3", "v6": "2001:db8::7", "arg_price": "9.50", "arg_word": "kiwi", "arg_nan": "NaN",
}

// Losing this means that a route or plugin applies to requests its author excluded.
func TestMatch(t *testing.T) {
	for _, c := range []struct {
		predicate string
		want      bool
	}{
		{`["arg_x","==","1"]`, true},
		{`["arg_x","==",1]`, true},
		{`["arg_x","==",1.0]`, true},
		{`["arg_x","==",2]`, false},
		{`["arg_x","~=","2"]`, true},
		{`["arg_missing","==","1"]`, false},
		{`["arg_missing","~=","1"]`, true},
		{`["arg_missing","==",null]`, true},
		{`["arg_empty","==",null]`, false},
		{`["arg_empty","==",""]`, true},
		{`["arg_price",">",9.5]`, false},
		{`["arg_price",">=",9.5]`, true},
		{`["arg_price","<",10]`, true},
		{`["arg_price","<=",9]`, false},
		{`["arg_word",">","apple"]`, true},
		{`["arg_word","<",5]`, false},
		{`["arg_nan","==",0]`, false},
		{`["arg_missing","<",5]`, false},
		{`["http_user_agent","~~","^curl"]`, false},
		{`["http_user_agent","~*","^curl"]`, true},
		{`["http_user_agent","!","~*","^curl"]`, false},
		{`["arg_word","in",["kiwi","fig"]]`, true},
		{`["arg_x","IN",[1,2]]`, true},
		{`["arg_word","!","in",["kiwi","fig"]]`, false},
		{`["arg_list","has","b"]`, true},
		{`["arg_list","has","d"]`, false},
		{`["arg_missing","has",""]`, false},
		{`["remote_addr","ipmatch",["192.168.0.0/16","10.0.0.0/8"]]`, true},
		{`["remote_addr","ipmatch","10.1.2.4"]`, false},
		{`["mapped","ipmatch","10.1.2.3"]`, true},
		{`["v6","ipmatch",["2001:db8::/32"]]`, true},
		{`["arg_word","ipmatch",["0.0.0.0/0"]]`, false},
		{`[["arg_x","==","1"],["arg_word","==","kiwi"]]`, true},
		{`[["arg_x","==","1"],["arg_word","==","fig"]]`, false},
		{`["OR",["arg_x","==","2"],["arg_word","==","kiwi"]]`, true},
		{`["AND",["arg_x","==","2"],["arg_word","==","kiwi"]]`, false},
		{`["!OR",["arg_x","==","2"],["arg_word","==","kiwi"]]`, false},
		{`["!AND",["arg_x","==","2"],["arg_word","==","kiwi"]]`, true},
		{`["OR",["arg_x","==","2"],["AND",["arg_x","==","1"],["OR",["arg_word","==","fig"],["arg_word","==","kiwi"]]]]`, true},
	} {
		p, err := expr.Compile(json.RawMessage(c.predicate), nil)
		if err != nil {
			t.Errorf("%s: %v", c.predicate, err)
			continue
		}
		if got := p.Match(request); got != c.want {
			t.Errorf("%s = %v, want %v", c.predicate, got, c.want)
		}
	}
}

// Losing this means that a mistyped predicate is stored and decides at random,
// or that one client's predicate costs everyone's time.
func TestRefuse(t *testing.T) {
	many := "[" + strings.TrimSuffix(strings.Repeat(`["a","==","1"],`, 129), ",") + "]"
	for _, c := range []struct{ predicate, at, says string }{
		{``, "", "valid JSON"},
		{`[] []`, "", "one JSON value"},
		{`{}`, "", "is an array"},
		{`[]`, "", "is empty"},
		{`["OR"]`, "", "needs conditions"},
		{`["a","=="]`, "", "[variable, operator, value]"},
		{`["","==","1"]`, "/0", "name"},
		{`["a","===","1"]`, "/1", "operator"},
		{`["a",1,"1"]`, "/1", "operator"},
		{`[["a","==","1"],["OR",["a","==",{}]]]`, "/1/1/2", "needs a text"},
		{`["a","~~","("]`, "/2", "RE2"},
		{`["a","~~","` + strings.Repeat("a", 513) + `"]`, "/2", "at most 512"},
		{`["a","~~","(((a{1000}){1000}){1000})"]`, "/2", "RE2"},
		{`["a","in","x"]`, "/2", "list"},
		{`["a","in",[[]]]`, "/2", "list of texts"},
		{`["a","ipmatch",["10.0.0.0/99"]]`, "/2", "networks"},
		{`["a",">",1e999]`, "/2", "in range"},
		{many, "/128", "at most 128"},
		{strings.Repeat(`["OR",`, 10) + `["a","==","1"]` + strings.Repeat("]", 10), strings.Repeat("/1", 9), "deeper than 8"},
		{`["a","==","` + strings.Repeat("x", 17<<10) + `"]`, "", "at most 16384 bytes"},
	} {
		_, err := expr.Compile(json.RawMessage(c.predicate), nil)
		var e *sluice.Error
		if !errors.As(err, &e) || e.Code != sluice.CodeInvalidRequest || e.Field != c.at || !strings.Contains(e.Message, c.says) {
			t.Errorf("%.60s: %v (at %q), want %q at %q", c.predicate, err, sluice.AsError(err), c.says, c.at)
		}
	}
}

// Losing this means that predicates cost garbage on every request.
func TestMatchAllocatesNothing(t *testing.T) {
	p, err := expr.Compile(json.RawMessage(`[["arg_x","==",1],["arg_list","has","c"],["remote_addr","ipmatch",["10.0.0.0/8"]],["http_user_agent","~*","^curl"]]`), nil)
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { p.Match(request) }); n != 0 {
		t.Errorf("%v allocations per match", n)
	}
}

// Losing this means that a stored predicate can crash a gateway.
func FuzzCompile(f *testing.F) {
	for _, s := range []string{`["a","==","1"]`, `[["a","in",[1]],["OR",["a","~~","."]]]`, `["a","!","ipmatch","::1"]`, `[null]`} {
		f.Add(s, "1")
	}
	f.Fuzz(func(t *testing.T, predicate, value string) {
		p, err := expr.Compile(json.RawMessage(predicate), nil)
		if err != nil {
			if sluice.CodeOf(err) != sluice.CodeInvalidRequest {
				t.Fatalf("error without its code: %v", err)
			}
			return
		}
		if first, again := p.Match(vars{"a": value}), p.Match(vars{"a": value}); first != again {
			t.Fatal("the same request gave two answers")
		}
	})
}
