package main

import (
	"fmt"
	"html"
	"strings"
)

// chart draws the ratios to nginx as bars, nginx itself as the line at 1.
func chart(r *report) string {
	const (
		left, width, bar = 330, 420, 18
		full             = 3.0 // the ratio at the right edge
	)
	var rows strings.Builder
	y := 50
	for _, f := range r.Figures {
		if f.Ratio <= 0 {
			continue
		}
		length := min(f.Ratio, full) / full * width
		label := html.EscapeString(fmt.Sprintf("%s, %s: %s", f.Workload, f.Measure, f.Peer))
		colour := "#2f6fab"
		if f.Goal > 0 && f.Ratio > f.Goal {
			colour = "#b5533c"
		}
		fmt.Fprintf(&rows, `<text x="%d" y="%d" text-anchor="end">%s</text>`, left-8, y+13, label)
		fmt.Fprintf(&rows, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>`, left, y, length, bar, colour)
		fmt.Fprintf(&rows, `<text x="%.1f" y="%d">%.2f</text>`, left+length+6, y+13, f.Ratio)
		if f.Goal > 0 {
			x := left + f.Goal/full*width
			fmt.Fprintf(&rows, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#222" stroke-width="2"/>`, x, y-2, x, y+bar+2)
		}
		rows.WriteByte('\n')
		y += bar + 8
	}
	one := left + width/full
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">
<rect width="100%%" height="100%%" fill="#fff"/>
<text x="16" y="22" font-size="14">Ratio to nginx in the same run (1.00 is nginx, dark ticks are goals)</text>
<line x1="%.1f" y1="40" x2="%.1f" y2="%d" stroke="#888" stroke-dasharray="4 3"/>
%s</svg>
`, left+width+80, y+20, one, one, y+4, rows.String())
}
