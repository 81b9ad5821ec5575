package main

import (
	"github.com/sluicegate/sluice/plugin"
)

// helloConfig is the plugin's configuration; forms, validation and
// documentation are made from it.
type helloConfig struct {
	Name   string `json:"name,omitempty" default:"world" minLength:"1" maxLength:"64" title:"Name" title_zh:"名称" doc:"Whom to greet." doc_zh:"问候的对象。"`
	Header string `json:"header,omitempty" default:"X-Hello" format:"header" title:"Header" title_zh:"响应头" doc:"Field of the answer that carries the greeting." doc_zh:"携带问候语的响应字段。"`
}

// hello greets in a field of every answer.
type hello struct{ header, greeting string }

var _ plugin.HeaderFilterer = (*hello)(nil)

// Hello defines the plugin: its name, what it does, its priority, and how a
// configuration becomes a plugin.
func Hello() plugin.Spec {
	return plugin.Define("hello", "Greets in a header of every answer.", 100,
		func(cfg helloConfig, _ plugin.Env) (plugin.Plugin, error) {
			return &hello{header: cfg.Header, greeting: "Hello, " + cfg.Name + "!"}, nil
		},
		plugin.SummaryZH("在每个响应的头部加入问候语。"), plugin.Example(`{"name":"Ada"}`))
}

// HeaderFilter adds the greeting before the answer leaves.
func (h *hello) HeaderFilter(x *plugin.Exchange) error {
	x.Response.Fields.Set(h.header, h.greeting)
	return nil
}
