package catalog

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/sluicegate/sluice"
)

// Apply returns the model with the facts of the entry in place of its own, and
// with their source. What the catalogue does not speak of - names, description,
// policy, status - stays.
func Apply(m sluice.Model, e sluice.CatalogEntry) sluice.Model {
	m.Name = e.Name
	m.ContextWindow, m.MaxOutputTokens = e.ContextWindow, e.MaxOutputTokens
	m.SupportsVision, m.SupportsFunctions, m.SupportsToolChoice = e.SupportsVision, e.SupportsFunctions, e.SupportsToolChoice
	m.SupportsReasoning, m.SupportsJSONSchema, m.SupportsParallelCalls = e.SupportsReasoning, e.SupportsJSONSchema, e.SupportsParallelCalls
	m.InputModalities, m.OutputModalities, m.Operations = e.InputModalities, e.OutputModalities, e.Operations
	m.CostPerToken = costPerToken(e)
	m.Source, m.SourceDate = source(e), e.Date
	m.SourceDigest = digest(m)
	return m
}

// Untouched reports whether the model is as an earlier load of the same entry
// left it, facts and source alike.
func Untouched(m sluice.Model, e sluice.CatalogEntry) bool {
	id, _, _ := strings.Cut(m.Source, " of ")
	return id == e.ID && m.SourceDigest == digest(m)
}

// costPerToken is the one price of models that have only one: of several, what
// a token costs depends on which, and no blend is stated.
func costPerToken(e sluice.CatalogEntry) sluice.Rate {
	if rate, ok := e.Rates[sluice.UnitInput]; ok && len(e.Rates) == 1 && len(e.Disagrees) == 0 {
		return rate
	}
	return 0
}

// source names the entry and the packages: "openai/gpt-4o of litellm 1.2.3".
func source(e sluice.CatalogEntry) string {
	packages := make([]string, len(e.Sources))
	for i, s := range e.Sources {
		packages[i] = s.Package + " " + s.Version
	}
	return e.ID + " of " + strings.Join(packages, ", ")
}

// digest hashes what the catalogue writes into a model.
func digest(m sluice.Model) string {
	facts := sluice.Model{
		ContextWindow: m.ContextWindow, MaxOutputTokens: m.MaxOutputTokens, CostPerToken: m.CostPerToken,
		SupportsVision: m.SupportsVision, SupportsFunctions: m.SupportsFunctions, SupportsToolChoice: m.SupportsToolChoice,
		SupportsReasoning: m.SupportsReasoning, SupportsJSONSchema: m.SupportsJSONSchema, SupportsParallelCalls: m.SupportsParallelCalls,
		InputModalities: m.InputModalities, OutputModalities: m.OutputModalities, Operations: m.Operations,
		Source: m.Source, SourceDate: m.SourceDate,
	}
	text, err := json.Marshal(facts)
	if err != nil {
		panic(fmt.Sprintf("catalog: a model without JSON: %v", err)) // it has none but plain fields
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}
