package api

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"sync"
)

// pageFiles are the pages that need no console: plain HTML, no script.
//
//go:embed pages
var pageFiles embed.FS

// pages renders the plain pages. The style sheet is part of every page and
// allowed by its hash, so that nothing else can be.
type pages struct {
	templates *template.Template
	policy    string
}

func newPages() (*pages, error) {
	style, err := pageFiles.ReadFile("pages/style.css")
	if err != nil {
		return nil, fmt.Errorf("read style sheet: %w", err)
	}
	templates, err := template.New("").Funcs(template.FuncMap{
		"style": func() template.CSS { return template.CSS(style) }, //nolint:gosec // our own file
	}).ParseFS(pageFiles, "pages/*.html")
	if err != nil {
		return nil, fmt.Errorf("parse pages: %w", err)
	}
	sum := sha256.Sum256(style)
	policy := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
	return &pages{templates, policy}, nil
}

// execute renders a page to bytes, so that a broken one is an error and not
// half an answer.
func (p *pages) execute(name string, data any) ([]byte, error) {
	var b bytes.Buffer
	if err := p.templates.ExecuteTemplate(&b, name, data); err != nil {
		return nil, fmt.Errorf("render page %s: %w", name, err)
	}
	return b.Bytes(), nil
}

// send answers with a rendered page.
func (p *pages) send(w http.ResponseWriter, status int, page []byte) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", p.policy)
	w.WriteHeader(status)
	_, _ = w.Write(page)
}

// mountPages adds the documents and the pages. It comes last: the OpenAPI
// document must know every operation. What is large is rendered when somebody
// first asks for it, and then kept.
func (s *server) mountPages(mux *http.ServeMux) error {
	p, err := newPages()
	if err != nil {
		return err
	}
	if err := s.complete(); err != nil {
		return err
	}
	document := sync.OnceValues(s.render)
	docs := sync.OnceValues(func() ([]byte, error) { return p.execute("docs.html", s.docsView()) })
	mux.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, r *http.Request) {
		text, err := document()
		if err != nil {
			s.fail(w, r, err)
			return
		}
		w.Header().Set("Content-Type", mediaJSON)
		_, _ = w.Write(text) // a client that is gone has no use for the error
	})
	mux.HandleFunc("GET /docs", func(w http.ResponseWriter, r *http.Request) {
		page, err := docs()
		s.sendPage(w, r, p, page, err)
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		page, err := p.execute("welcome.html", s.Version)
		s.sendPage(w, r, p, page, err)
	})
	s.mountSetup(mux, p)
	return nil
}

// sendPage answers with a page, or with why there is none.
func (s *server) sendPage(w http.ResponseWriter, r *http.Request, p *pages, page []byte, err error) {
	if err != nil {
		s.fail(w, r, err)
		return
	}
	p.send(w, http.StatusOK, page)
}
