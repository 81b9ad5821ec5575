package gateway

import (
	"encoding/json"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/plugin"
)

// welcome is what a person sees who opens the gateway in a browser.
const welcome = "Sluice is running.\n\nSend requests to the routes that are configured here, with your key in the Authorization header.\n"

// answerBuiltin answers for the gateway itself where no route does; otherwise it
// returns the error of the match.
func (e *exchange) answerBuiltin(unmatched error) (done bool, err error) {
	h := e.x.Request
	if h.Method != "GET" && h.Method != "HEAD" {
		return false, unmatched
	}
	var body []byte
	contentType, status := "application/json", 200
	switch h.Path {
	case "/health":
		body = e.g.health("ok")
	case "/ready":
		body = e.g.health("ready")
		if reason := e.g.Ready(); reason != nil {
			status, body = 503, e.g.health(sluice.AsError(reason).Message)
		}
	case "/":
		body, contentType = []byte(welcome), "text/plain; charset=utf-8"
	default:
		return false, unmatched
	}
	e.unrecorded = true
	e.response.Status = status
	e.response.Fields.Add("Content-Type", contentType)
	e.response.Fields.Add("Cache-Control", "no-store")
	return true, e.respond(plugin.OriginGateway, body)
}

// health is the body of /health and /ready.
func (g *Gateway) health(status string) []byte {
	b, err := json.Marshal(struct {
		Status    string    `json:"status"`
		Service   string    `json:"service"`
		Version   string    `json:"version"`
		Timestamp time.Time `json:"timestamp"`
	}{status, "sluice-gateway", g.cfg.Version, g.cfg.Now().UTC()})
	if err != nil {
		panic("gateway: strings and numbers must marshal: " + err.Error())
	}
	return append(b, '\n')
}
