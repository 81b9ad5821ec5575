package wire

import "net/http"

// reason is the phrase of a status line; an unknown status has none.
func reason(status int) string { return http.StatusText(status) }
