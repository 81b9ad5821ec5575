package api

import (
	"context"
	"net/http"
	"net/url"

	"github.com/sluicegate/sluice"
)

// setupView is what the set-up page shows.
type setupView struct {
	// State is "form", "done" or "gone".
	State   string
	Token   string
	Email   string
	Problem string
	TraceID string
}

// mountSetup adds the form that creates the first platform admin. The token in
// its link is the credential; the form repeats it, so that no cookie and no
// script is needed.
func (s *server) mountSetup(mux *http.ServeMux, p *pages) {
	mux.HandleFunc("GET /setup", func(w http.ResponseWriter, r *http.Request) { s.showSetup(w, r, p) })
	mux.HandleFunc("POST /setup", func(w http.ResponseWriter, r *http.Request) { s.submitSetup(w, r, p) })
}

func (s *server) showSetup(w http.ResponseWriter, r *http.Request, p *pages) {
	needed, err := s.Control.NeedsSetup(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	view := setupView{State: "form", Token: r.URL.Query().Get("token")}
	if !needed || view.Token == "" {
		view.State = "gone"
	}
	s.sendSetup(w, r, p, view)
}

func (s *server) submitSetup(w http.ResponseWriter, r *http.Request, p *pages) {
	form, err := readForm(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	view := setupView{State: "form", Token: form.Get("token"), Email: form.Get("email")}
	if form.Get("password") != form.Get("repeat") {
		view.Problem = "The two passwords differ."
		s.sendSetup(w, r, p, view)
		return
	}
	_, err = s.Control.RedeemSetup(r.Context(), view.Token, view.Email, form.Get("password"), s.from(r.Context()))
	switch sluice.CodeOf(err) {
	case "":
		view.State = "done"
	case sluice.CodeInvalidRequest:
		view.Problem = sluice.AsError(err).Message
	case sluice.CodeUnauthorized, sluice.CodeConflict:
		view.State = "gone"
	default:
		s.fail(w, r, err)
		return
	}
	s.sendSetup(w, r, p, view)
}

// sendSetup renders the page; a link that cannot be used (any more) is 410, a
// form that needs correction 400.
func (s *server) sendSetup(w http.ResponseWriter, r *http.Request, p *pages, view setupView) {
	view.TraceID = requestID(r.Context())
	page, err := p.execute("setup.html", view)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	status := http.StatusOK
	switch {
	case view.State == "gone":
		status = http.StatusGone
	case view.Problem != "":
		status = http.StatusBadRequest
	}
	p.send(w, status, page)
}

// readForm reads a form from the body alone: credentials in a query would end
// up in logs.
func readForm(ctx context.Context) (url.Values, error) {
	body, err := readBody(ctx, mediaForm)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, invalid("", "the form is not valid")
	}
	return form, nil
}
