package anthropic

import (
	"strconv"
	"strings"
)

// version is a generation of Claude, 0 when the name of the model does not
// tell: 3.7 is 307.
type version int

// The generations with which something changed.
const (
	v3_7 version = 307 // thinks, with a budget
	v4_1 version = 401 // takes temperature or top_p, not both; formats by schema
	v4_6 version = 406 // thinks adaptively by effort; no prefill
	v4_7 version = 407 // takes no sampling parameters and no budgets
)

// versionOf reads the generation from a model's name: claude-3-7-sonnet-20250219,
// claude-opus-4-5, anthropic/claude-sonnet-4.6, claude-sonnet-4@20250514.
func versionOf(model string) version {
	_, rest, ok := strings.Cut(strings.ToLower(model), "claude-")
	if !ok {
		return 0
	}
	var digits []int
	for _, word := range strings.FieldsFunc(rest, func(r rune) bool { return strings.ContainsRune("-.@:/_", r) }) {
		n, err := strconv.Atoi(word)
		switch {
		case err == nil && len(word) <= 2 && len(digits) < 2:
			digits = append(digits, n)
		case len(digits) > 0:
			return number(digits)
		}
	}
	return number(digits)
}

func number(digits []int) version {
	switch len(digits) {
	case 0:
		return 0
	case 1:
		return version(digits[0] * 100)
	}
	return version(digits[0]*100 + digits[1])
}

// thinks reports whether the model can think at all. What is not known is taken
// to: targets that are not the vendor's accept the member.
func (v version) thinks() bool { return v == 0 || v >= v3_7 }

// adaptive reports whether it decides by itself how much.
func (v version) adaptive() bool { return v >= v4_6 }

// formats reports whether it can be held to a schema.
func (v version) formats() bool { return v == 0 || v >= v4_1 }

// prefills reports whether the assistant's last turn may be begun for it.
func (v version) prefills() bool { return v < v4_6 }
