package sluice

// CatalogEntry is what the published sources of the catalogue state of one model
// of one provider. What no source states is absent; what the sources dispute is
// in Disagrees and nowhere else. Entries are data: nothing is served or charged
// by them until they are loaded as a [Model].
type CatalogEntry struct {
	// ID is "<provider>/<name>", unique in the catalogue.
	ID string `json:"id"`
	// Name is what the provider calls the model.
	Name string `json:"name"`
	// Provider is the type of a [Provider] that serves it.
	Provider string `json:"provider"`
	// Operations lists what it is for; empty is not stated.
	Operations []string `json:"operations,omitempty"`
	// ContextWindow is the most tokens of one request, 0 when not stated.
	ContextWindow int64 `json:"context_window,omitempty"`
	// MaxOutputTokens caps one answer, 0 when not stated.
	MaxOutputTokens int64 `json:"max_output_tokens,omitempty"`
	// InputModalities lists all that it reads, OutputModalities all that it
	// writes; empty is not stated.
	InputModalities       []string `json:"input_modalities,omitempty"`
	OutputModalities      []string `json:"output_modalities,omitempty"`
	SupportsVision        *bool    `json:"supports_vision,omitempty"`
	SupportsFunctions     *bool    `json:"supports_functions,omitempty"`
	SupportsToolChoice    *bool    `json:"supports_tool_choice,omitempty"`
	SupportsReasoning     *bool    `json:"supports_reasoning,omitempty"`
	SupportsJSONSchema    *bool    `json:"supports_json_schema,omitempty"`
	SupportsParallelCalls *bool    `json:"supports_parallel_calls,omitempty"`
	// Retires is the day on which the provider ends it, if one is announced.
	Retires string `json:"retires,omitempty"`
	// Asset is what the rates are in.
	Asset string `json:"asset"`
	// Rates has the list price of each unit, as an exact number per single unit.
	Rates map[Unit]Rate `json:"rates,omitempty"`
	// Disagrees lists the units of which the sources state different prices;
	// Rates has none for them.
	Disagrees []CatalogDispute `json:"disagrees,omitempty"`
	// Remarks tell what the rates do not: that long prompts cost more, for
	// instance.
	Remarks []string `json:"remarks,omitempty"`
	// Sources are the packages that state all this, at least one.
	Sources []CatalogSource `json:"sources"`
	// Date is the day (YYYY-MM-DD) of which it holds.
	Date string `json:"date"`
}

// CatalogDispute is a unit of which two sources state different prices.
type CatalogDispute struct {
	Unit        Unit `json:"unit"`
	LiteLLM     Rate `json:"litellm"`
	GenAIPrices Rate `json:"genai_prices"`
}

// CatalogSource is a published package and the page that it names as its own
// source.
type CatalogSource struct {
	Package string `json:"package"`
	Version string `json:"version"`
	URL     string `json:"url,omitempty"`
}

// CatalogQuery selects a page of the catalogue.
type CatalogQuery struct {
	// Provider and Operation keep the entries of one provider type and of one
	// operation; empty keeps all.
	Provider, Operation string
	// Search keeps entries whose id contains it, without case.
	Search string
	// Cursor continues after the previous page; it is opaque.
	Cursor string
	// Limit is the page size, 1 to 500; 0 means 50.
	Limit int
}

// CatalogLoad says which entries become models. It names entries, or a provider
// whose entries are all meant.
type CatalogLoad struct {
	// Names are ids of entries, or names of models.
	Names []string `json:"names,omitempty" maxItems:"500"`
	// Provider is a provider type.
	Provider string `json:"provider,omitempty" maxLength:"63"`
	// Overwrite replaces what people entered, too.
	Overwrite bool `json:"overwrite,omitempty"`
}

// The results of loading an entry.
const (
	CatalogCreated   = "created"   // there was no such model
	CatalogUpdated   = "updated"   // it was as an earlier load had left it, or Overwrite
	CatalogUnchanged = "unchanged" // it says so already
	CatalogKept      = "kept"      // people entered or edited it, or it is of another entry
)

// CatalogResult is what became of one entry.
type CatalogResult struct {
	// ID is the entry's.
	ID string `json:"id"`
	// Model names the model.
	Model string `json:"model"`
	// Result is created, updated, unchanged or kept.
	Result string `json:"result" enum:"created,updated,unchanged,kept"`
}
