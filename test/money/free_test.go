package money_test

import (
	"net/http"
)

// lists reports whether the list of models, which costs nothing, is served.
func (s *scene) lists() bool {
	s.Helper()
	req, err := http.NewRequestWithContext(s.Context(), "GET", s.serve.Gateway+"/v1/models", nil)
	if err != nil {
		s.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	resp, err := s.callers.http.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}
