package app

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"sigs.k8s.io/yaml"

	"github.com/sluicegate/sluice"
)

// printList shows objects as a table, or as {"items": […]}, which apply reads.
func printList[T any](conn *connection, k cliKind[T], items []T) error {
	if conn.output == "table" {
		return printTable(conn.env.Stdout, k, items)
	}
	return printValue(conn, map[string]any{"items": items})
}

// printOne shows one object. A key's token is shown in clear below the table:
// this is the only time that anybody sees it.
func printOne[T any](conn *connection, k cliKind[T], obj T) error {
	if conn.output != "table" {
		return printValue(conn, obj)
	}
	if err := printTable(conn.env.Stdout, k, []T{obj}); err != nil {
		return err
	}
	if key, ok := any(obj).(sluice.Key); ok && key.Token != "" {
		fmt.Fprintf(conn.env.Stdout, "\ntoken (shown once): %s\n", key.Token)
	}
	return nil
}

// printApplied says what apply did to one object.
func printApplied[T any](conn *connection, k cliKind[T], obj T, created, dryRun bool) error {
	if conn.output != "table" {
		return printValue(conn, obj)
	}
	done := "applied"
	if created {
		done = "created"
	}
	if dryRun {
		done += " (dry run)"
	}
	meta := metaOf(&obj)
	fmt.Fprintf(conn.env.Stdout, "%s %s %s, version %d\n", k.singular, meta.Name, done, meta.Version)
	if key, ok := any(obj).(sluice.Key); ok && key.Token != "" {
		fmt.Fprintf(conn.env.Stdout, "token (shown once): %s\n", key.Token)
	}
	return nil
}

// printTable aligns the columns of a kind.
func printTable[T any](out io.Writer, k cliKind[T], items []T) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	heads := make([]string, len(k.columns))
	for i, c := range k.columns {
		heads[i] = c.head
	}
	fmt.Fprintln(w, strings.Join(heads, "\t"))
	for i := range items {
		cells := make([]string, len(k.columns))
		for j, c := range k.columns {
			cells[j] = cellText(c.cell(&items[i]))
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print table: %w", err)
	}
	return nil
}

// cellText keeps text from breaking the table or the terminal.
func cellText(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}

// printValue shows a value as JSON or YAML.
func printValue(conn *connection, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode output: %w", err)
	}
	switch conn.output {
	case "json":
		text = append(text, '\n')
	case "yaml":
		if text, err = yaml.JSONToYAML(text); err != nil {
			return fmt.Errorf("encode output: %w", err)
		}
	default:
		return sluice.Errorf(sluice.CodeConfig, "--output %q must be table, json or yaml", conn.output)
	}
	if _, err := conn.env.Stdout.Write(text); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}
