package sluice_test

import (
	"os"
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
)

// TestMoneyPageShowsTheTables keeps docs/money.md from promising other endings
// and accounts than the code has.
func TestMoneyPageShowsTheTables(t *testing.T) {
	page, err := os.ReadFile("docs/money.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range sluice.Endings() {
		content := "no"
		if e.Content {
			content = "yes"
		}
		choices := []string{}
		for _, c := range e.Choices {
			choices = append(choices, string(c))
		}
		row := "| `" + string(e.Outcome) + "` | " + content + " | " + string(e.Charge) + " | " + strings.Join(choices, ", ") + " | " + e.Reason + " |"
		if !strings.Contains(string(page), row) {
			t.Errorf("docs/money.md lacks the row\n%s", row)
		}
	}
	for kind := range sluice.AccountKinds() {
		if !strings.Contains(string(page), "| `"+string(kind)+"` |") {
			t.Errorf("docs/money.md lacks the account kind %s", kind)
		}
	}
}
