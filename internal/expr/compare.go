package expr

import (
	"encoding/json"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/sluicegate/sluice"
)

// condition compares one variable by a test that was prepared from the operand.
type condition struct {
	name    string
	negated bool
	test    test
}

// test judges a value; ok is false when the variable does not exist.
type test func(value string, ok bool) bool

func (c condition) match(v Vars) bool {
	value, ok := v.Var(c.name)
	return c.test(value, ok) != c.negated
}

// comparison compiles [var, op, operand] or [var, "!", op, operand].
func comparison(name string, list []any, at string) (node, error) {
	c := condition{name: name}
	if len(list) == 4 && list[1] == "!" {
		c.negated = true
		list = slices.Delete(slices.Clone(list), 1, 2)
	}
	if len(list) != 3 {
		return nil, invalid(at, "a condition is [variable, operator, value]")
	}
	if name == "" || len(name) > 256 {
		return nil, invalid(index(at, 0), "a variable's name has 1 to 256 characters")
	}
	op, ok := list[1].(string)
	build := operators[strings.ToLower(op)]
	if !ok || build == nil {
		return nil, invalid(index(at, 1), "the operator must be one of == ~= > >= < <= ~~ ~* in has ipmatch")
	}
	var problem string
	if c.test, problem = build(list[2]); problem != "" {
		return nil, invalid(index(at, 2), "%s %s", op, problem)
	}
	return c, nil
}

// operators prepares the test of each operator; the string says what is wrong
// with the operand.
var operators = map[string]func(operand any) (test, string){
	"==":      equal,
	"~=":      func(v any) (test, string) { t, p := equal(v); return not(t), p },
	">":       ordered(func(c int) bool { return c > 0 }),
	">=":      ordered(func(c int) bool { return c >= 0 }),
	"<":       ordered(func(c int) bool { return c < 0 }),
	"<=":      ordered(func(c int) bool { return c <= 0 }),
	"~~":      matches(""),
	"~*":      matches("(?i)"),
	"in":      in,
	"has":     has,
	"ipmatch": ipMatch,
}

func not(t test) test {
	return func(value string, ok bool) bool { return !t(value, ok) }
}

// equal compares text as text and numbers as numbers; null holds for a variable
// that does not exist.
func equal(operand any) (test, string) {
	switch want := operand.(type) {
	case nil:
		return func(_ string, ok bool) bool { return !ok }, ""
	case string:
		return func(value string, ok bool) bool { return ok && value == want }, ""
	case bool:
		text := strconv.FormatBool(want)
		return func(value string, ok bool) bool { return ok && value == text }, ""
	case json.Number:
		n, err := want.Float64()
		if err != nil {
			return nil, "needs a number in range"
		}
		return func(value string, ok bool) bool {
			got, valid := number(value)
			return ok && valid && got == n
		}, ""
	}
	return nil, "needs a text, a number, true, false or null"
}

// ordered compares numerically with a number and by bytes with a text. A
// variable that does not exist, or is no number, never holds.
func ordered(holds func(c int) bool) func(any) (test, string) {
	return func(operand any) (test, string) {
		switch want := operand.(type) {
		case string:
			return func(value string, ok bool) bool { return ok && holds(strings.Compare(value, want)) }, ""
		case json.Number:
			n, err := want.Float64()
			if err != nil {
				return nil, "needs a number in range"
			}
			return func(value string, ok bool) bool {
				got, valid := number(value)
				return ok && valid && holds(compareFloats(got, n))
			}, ""
		}
		return nil, "needs a number or a text"
	}
}

// number reads a decimal number; "NaN", "Inf" and hexadecimal are text.
func number(s string) (float64, bool) {
	if s == "" || strings.Trim(s, "+-.0123456789eE") != "" {
		return 0, false
	}
	n, err := strconv.ParseFloat(s, 64)
	return n, err == nil
}

func compareFloats(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// matches finds an RE2 pattern, whose time is linear in the value; the value is
// bounded by the limits of a request's head.
func matches(flags string) func(any) (test, string) {
	return func(operand any) (test, string) {
		pattern, ok := operand.(string)
		if !ok || len(pattern) > maxPattern {
			return nil, "needs a regular expression of at most " + strconv.Itoa(maxPattern) + " bytes"
		}
		re, err := regexp.Compile(flags + pattern)
		if err != nil {
			return nil, "needs a regular expression in RE2 syntax"
		}
		return func(value string, ok bool) bool { return ok && re.MatchString(value) }, ""
	}
}

// in holds when the value equals one of a list.
func in(operand any) (test, string) {
	list, ok := operand.([]any)
	if !ok || len(list) > maxList {
		return nil, "needs a list of at most " + strconv.Itoa(maxList) + " values"
	}
	set := make(map[string]bool, len(list))
	for _, v := range list {
		text, ok := scalar(v)
		if !ok {
			return nil, "needs a list of texts and numbers"
		}
		set[text] = true
	}
	return func(value string, ok bool) bool { return ok && set[value] }, ""
}

// has holds when the value, a list separated by commas, holds the operand.
func has(operand any) (test, string) {
	want, ok := scalar(operand)
	if !ok {
		return nil, "needs a text or a number"
	}
	return func(value string, ok bool) bool {
		for item := range strings.SplitSeq(value, ",") {
			if ok && strings.TrimSpace(item) == want {
				return true
			}
		}
		return false
	}, ""
}

// ipMatch holds when the value is an address within one of the networks.
func ipMatch(operand any) (test, string) {
	list, ok := operand.([]any)
	if !ok {
		list = []any{operand}
	}
	if len(list) > maxList {
		return nil, "needs at most " + strconv.Itoa(maxList) + " networks"
	}
	var networks []netip.Prefix
	for _, v := range list {
		text, _ := v.(string)
		network, ok := parseNetwork(text)
		if !ok {
			return nil, "needs addresses or networks such as 10.0.0.0/8"
		}
		networks = append(networks, network)
	}
	return func(value string, ok bool) bool {
		addr, err := netip.ParseAddr(value)
		if !ok || err != nil {
			return false
		}
		addr = addr.Unmap()
		return slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Contains(addr) })
	}, ""
}

func parseNetwork(text string) (netip.Prefix, bool) {
	if network, err := netip.ParsePrefix(text); err == nil {
		return network.Masked(), true
	}
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, false
	}
	addr = addr.Unmap().WithZone("")
	return netip.PrefixFrom(addr, addr.BitLen()), true
}

func scalar(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return strconv.FormatBool(v), true
	}
	return "", false
}

func invalid(at, format string, args ...any) error {
	return sluice.Errorf(sluice.CodeInvalidRequest, format, args...).At(at)
}

func index(at string, i int) string { return at + "/" + strconv.Itoa(i) }
