package sluice_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
)

// TestAccountIDs holds the chart closed: an account outside of it would be
// money that no report knows.
func TestAccountIDs(t *testing.T) {
	for id, want := range map[sluice.AccountID]sluice.AccountKind{
		sluice.OwnedAccount(sluice.AccountWallet, "key/17", "USD"): sluice.AccountWallet,
		sluice.HouseAccount(sluice.AccountRevenue, "USD"):          sluice.AccountRevenue,
		"cust.wallet@USD":         "", // whose?
		"cust.wallet:@USD":        "",
		"sys.revenue:acme@USD":    "", // the house's own have no owner
		"sys.slush@USD":           "",
		"cust.wallet:acme":        "",
		"":                        "",
		"cust.grant:spring@USD":   sluice.AccountGrant,
		"payable:openly/main@USD": sluice.AccountPayable,
	} {
		if got := id.Kind(); got != want {
			t.Errorf("%q is %q, want %q", id, got, want)
		}
	}
}

// TestTransferValidation refuses what could never balance, each with the field
// to blame.
func TestTransferValidation(t *testing.T) {
	good := sluice.Transfer{
		ID: sluice.NewTransferID("p", "top_up", 0), Kind: sluice.TransferSingle, Amount: 1,
		Debit: "sys.cash@USD", Credit: "cust.wallet:a@USD",
	}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for field, change := range map[string]func(*sluice.Transfer){
		"/id":      func(x *sluice.Transfer) { x.ID = sluice.TransferID{} },
		"/amount":  func(x *sluice.Transfer) { x.Amount = 0 },
		"/debit":   func(x *sluice.Transfer) { x.Debit = "nowhere@USD" },
		"/credit":  func(x *sluice.Transfer) { x.Credit = "cust.wallet:a@EUR" },
		"/kind":    func(x *sluice.Transfer) { x.Kind = "gift" },
		"/pending": func(x *sluice.Transfer) { x.Kind = sluice.TransferVoid },
	} {
		bad := good
		change(&bad)
		if e := sluice.AsError(bad.Validate()); e == nil || e.Code != sluice.CodeInvalidRequest || e.Field != field {
			t.Errorf("%s: %v", field, e)
		}
	}
}

// TestIDsRoundTrip keeps ids readable from what was written.
func TestIDsRoundTrip(t *testing.T) {
	const text = "0190c2a7-1b2c-7def-8123-456789abcdef"
	id, err := sluice.ParseRequestID(text)
	if err != nil || id.String() != text {
		t.Errorf("%s, %v", id, err)
	}
	for _, bad := range []string{"", "x", strings.Replace(text, "-", "+", 1), strings.Replace(text, "0", "g", 1)} {
		if _, err := sluice.ParseRequestID(bad); sluice.CodeOf(err) != sluice.CodeInvalidRequest {
			t.Errorf("%q was read: %v", bad, err)
		}
	}
	in := sluice.Transfer{ID: sluice.NewTransferID(text, "settle", 1), Request: id, BookedAt: time.Unix(0, 0).UTC()}
	b, err := json.Marshal(in)
	var out sluice.Transfer
	if err != nil || json.Unmarshal(b, &out) != nil || out != in {
		t.Errorf("%s became %+v, %v", b, out, err)
	}
	if sluice.NewTransferID("a", "bc", 1) == sluice.NewTransferID("ab", "c", 1) {
		t.Error("two subjects share an id")
	}
	q := sluice.Quantities{sluice.UnitInput: 7, sluice.UnitRequest: 1}
	b, _ = json.Marshal(q)
	var back sluice.Quantities
	if string(b) != `{"input":7,"request":1}` || json.Unmarshal(b, &back) != nil || back != q {
		t.Errorf("%s became %v", b, back)
	}
}

// TestUsageSurvivesItsQuantities: what a journal keeps of a usage must be all of
// it, or a request that is ended after a crash is charged for less.
func TestUsageSurvivesItsQuantities(t *testing.T) {
	u := sluice.Usage{Input: 1, CachedInput: 2, CacheWrite5m: 3, CacheWrite1h: 4, Output: 5, Reasoning: 6, AudioInput: 7, AudioOutput: 8, ImageInput: 9, Image: 10,
		Pieces: sluice.Pieces{Images: 11, AudioSeconds: 12, Characters: 13, SearchUnits: 14}}
	q := u.Quantities()
	for unit, n := range q {
		if n == 0 {
			t.Errorf("%s is lost", sluice.Unit(unit))
		}
	}
	if back := q.Usage(); back != u {
		t.Errorf("%+v became %+v", u, back)
	}
	if one := (sluice.Usage{Input: 1}); one.Quantities()[sluice.UnitRequest] != 1 || one.Quantities().Usage() != one {
		t.Errorf("a plain request became %+v", one.Quantities().Usage())
	}
}

// TestEndingsAreClosed holds every outcome to a row: an ending without a policy
// is charged by accident.
func TestEndingsAreClosed(t *testing.T) {
	outcomes := []sluice.Outcome{
		sluice.OutcomeComplete, sluice.OutcomeError, sluice.OutcomeIncomplete, sluice.OutcomeClientGone,
		sluice.OutcomeTimeout, sluice.OutcomeInternal, sluice.OutcomeShuttingDown, sluice.OutcomeCrash,
	}
	for _, o := range outcomes {
		for _, content := range []bool{true, false} {
			row, ok := sluice.EndingOf(o, content)
			if !ok || row.Reason == "" || len(row.Choices) == 0 || row.Choices[0] != row.Charge {
				t.Errorf("%s, content %v: %+v", o, content, row)
			}
		}
	}
	if row, ok := sluice.EndingOf(sluice.OutcomeRefused, false); !ok || row.Charge != sluice.ChargeNothing {
		t.Errorf("refused: %+v", row)
	}
	if _, ok := sluice.EndingOf(sluice.OutcomeRefused, true); ok {
		t.Error("a refusal has delivered content")
	}
}

// TestMultiplierIsExact keeps a group's multiplier what was written: 1.15 as a
// float would be another number.
func TestMultiplierIsExact(t *testing.T) {
	for text, want := range map[string]sluice.Multiplier{"1.15": 1_150_000, "0.000001": 1, `"2"`: 2_000_000, "1e-3": 1_000} {
		var m, again sluice.Multiplier
		if err := json.Unmarshal([]byte(text), &m); err != nil || m != want {
			t.Errorf("%s is %d, %v", text, m, err)
		}
		if b, err := json.Marshal(m); err != nil || json.Unmarshal(b, &again) != nil || again != m {
			t.Errorf("%s became %s, %v", text, b, err)
		}
	}
	for _, bad := range []string{"1.0000001", `"x"`, "1e30"} {
		var m sluice.Multiplier
		if sluice.CodeOf(json.Unmarshal([]byte(bad), &m)) != sluice.CodeInvalidRequest {
			t.Errorf("%s was read as %s", bad, m)
		}
	}
}

// TestKnownAssets refuses prices in what is no money: a typing error would open
// books of its own.
func TestKnownAssets(t *testing.T) {
	for asset, want := range map[string]bool{"USD": true, "CNY": true, "AED": true, "ZWG": true, "UDS": false, "usd": false, "": false, "USD EUR": false, "XXX": false} {
		if sluice.KnownAsset(asset) != want {
			t.Errorf("%q: %v", asset, !want)
		}
	}
}

// Losing this means that a request's transfers are not found by its id, or that
// two of them are one.
func TestTransfersOfARequest(t *testing.T) {
	first, last := sluice.RequestID{1, 2, 3, 4, 5, 6, 7, 8, 9}, sluice.RequestID{1, 2, 3, 4, 5, 6, 7, 9}
	from, to := first.TransferRange()
	seen := map[sluice.TransferID]bool{}
	for n := range 100 {
		id := sluice.NewTransferID(first.String(), "settle", n).Of(first)
		if seen[id] || bytes.Compare(id[:], from[:]) < 0 || bytes.Compare(id[:], to[:]) > 0 {
			t.Errorf("transfer %d is %s, twice or not between %s and %s", n, id, from, to)
		}
		seen[id] = true
	}
	if id := sluice.NewTransferID("x", "settle", 0).Of(last); bytes.Compare(id[:], to[:]) <= 0 {
		t.Errorf("%s of a later request is before %s", id, to)
	}
}
