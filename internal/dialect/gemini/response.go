package gemini

import (
	"encoding/json"

	"github.com/sluicegate/sluice"
)

// response is a GenerateContentResponse: a whole answer, or one step of a
// stream.
type response struct {
	Candidates     []candidate     `json:"candidates,omitempty"`
	PromptFeedback *promptFeedback `json:"promptFeedback,omitempty"`
	UsageMetadata  *usageMetadata  `json:"usageMetadata,omitempty"`
	ModelVersion   string          `json:"modelVersion,omitempty"`
	ResponseID     string          `json:"responseId,omitempty"`
}

// candidate is one of several answers.
type candidate struct {
	Content      *content `json:"content,omitempty"`
	FinishReason string   `json:"finishReason,omitempty"`
	// FinishMessage explains the reason to people.
	FinishMessage  string          `json:"finishMessage,omitempty"`
	LogprobsResult *logprobsResult `json:"logprobsResult,omitempty"`
	Index          int             `json:"index"`
}

// promptFeedback says that, and why, the prompt was blocked.
type promptFeedback struct {
	BlockReason string `json:"blockReason,omitempty"`
}

// usageMetadata is what an answer states of its tokens, so far. Cached tokens
// are part of the prompt; thoughts are not part of the candidates, and the
// prompts of tools that Google ran come on top of the prompt.
type usageMetadata struct {
	PromptTokenCount        int64      `json:"promptTokenCount"`
	CachedContentTokenCount int64      `json:"cachedContentTokenCount,omitempty"`
	CandidatesTokenCount    int64      `json:"candidatesTokenCount"`
	ThoughtsTokenCount      int64      `json:"thoughtsTokenCount,omitempty"`
	ToolUsePromptTokenCount int64      `json:"toolUsePromptTokenCount,omitempty"`
	TotalTokenCount         int64      `json:"totalTokenCount"`
	PromptTokensDetails     []modality `json:"promptTokensDetails,omitempty"`
	CacheTokensDetails      []modality `json:"cacheTokensDetails,omitempty"`
	CandidatesTokensDetails []modality `json:"candidatesTokensDetails,omitempty"`
}

// modality is how many tokens of a count are of one kind.
type modality struct {
	Modality   string `json:"modality"`
	TokenCount int64  `json:"tokenCount"`
}

// of sums the tokens of one kind.
func of(kind string, list []modality) (n int64) {
	for _, m := range list {
		if m.Modality == kind {
			n += m.TokenCount
		}
	}
	return n
}

// usage computes disjoint classes. A statement that contradicts itself gives
// negative numbers, which nobody believes.
func (m *usageMetadata) usage() sluice.Usage {
	audio, cachedAudio := of("AUDIO", m.PromptTokensDetails), of("AUDIO", m.CacheTokensDetails)
	heard := max(audio-cachedAudio, 0)
	spoken, drawn := of("AUDIO", m.CandidatesTokensDetails), of("IMAGE", m.CandidatesTokensDetails)
	return sluice.Usage{
		Input:       m.PromptTokenCount - m.CachedContentTokenCount - heard + m.ToolUsePromptTokenCount,
		CachedInput: m.CachedContentTokenCount,
		AudioInput:  heard,
		Output:      m.CandidatesTokenCount - spoken - drawn,
		AudioOutput: spoken,
		Image:       drawn,
		Reasoning:   m.ThoughtsTokenCount,
	}
}

// metadata renders disjoint classes as Google sums them.
func metadata(u sluice.Usage) *usageMetadata {
	cached := u.CachedInput
	prompt := u.Input + cached + u.CacheWrite5m + u.CacheWrite1h + u.AudioInput
	m := &usageMetadata{
		PromptTokenCount:        prompt,
		CachedContentTokenCount: cached,
		CandidatesTokenCount:    u.Output + u.AudioOutput + u.Image,
		ThoughtsTokenCount:      u.Reasoning,
		TotalTokenCount:         u.Total(),
	}
	if u.AudioInput > 0 {
		m.PromptTokensDetails = []modality{{"TEXT", prompt - u.AudioInput}, {"AUDIO", u.AudioInput}}
	}
	for _, kind := range [...]modality{{"AUDIO", u.AudioOutput}, {"IMAGE", u.Image}} {
		if kind.TokenCount > 0 {
			m.CandidatesTokensDetails = append(m.CandidatesTokensDetails, kind)
		}
	}
	return m
}

// mustJSON encodes values of this package's own types, which cannot fail.
func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("gemini: encoding an own type: " + err.Error())
	}
	return b
}
