package sluice_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// featureIDs are all ids of the product's feature list, by family.
var featureIDs = map[string]int{"E": 8, "L": 10, "B": 6, "I": 7, "R": 1, "S": 2, "W": 1, "K": 2, "Z": 1, "A": 10, "P": 9, "O": 4}

// featureRow is one row of docs/FEATURES.md.
var featureRow = regexp.MustCompile(`(?m)^\| ([A-Z]\d+) \| (\w+) \|(.*)\|(.*)\|$`)

// namedTest is how docs/FEATURES.md names a test.
var namedTest = regexp.MustCompile("`([a-zA-Z0-9_./-]+):(Test[A-Za-z0-9]+)`")

// TestFeaturesAreHonest holds docs/FEATURES.md to every id of the feature list
// and to tests that exist: a page that claims more than is proven is worse than
// none.
func TestFeaturesAreHonest(t *testing.T) {
	page, err := os.ReadFile("docs/FEATURES.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]string{}
	for _, m := range featureRow.FindAllStringSubmatch(string(page), -1) {
		if rows[m[1]] != nil {
			t.Errorf("%s has two rows", m[1])
		}
		rows[m[1]] = m
	}
	count := 0
	for family, n := range featureIDs {
		for i := 1; i <= n; i++ {
			count++
			id := fmt.Sprintf("%s%d", family, i)
			checkFeature(t, id, rows[id])
		}
	}
	if len(rows) != count {
		t.Errorf("%d rows for %d ids", len(rows), count)
	}
	for _, m := range namedTest.FindAllStringSubmatch(string(page), -1) {
		if !testExists(t, m[1], m[2]) {
			t.Errorf("%s has no %s", m[1], m[2])
		}
	}
}

func checkFeature(t *testing.T, id string, row []string) {
	t.Helper()
	if row == nil {
		t.Errorf("%s is missing", id)
		return
	}
	status, text, proof := row[2], strings.TrimSpace(row[3]), row[4]
	switch status {
	case "done":
		if !namedTest.MatchString(proof) || strings.Contains(text, "Missing:") {
			t.Errorf("%s is called done without a test, or misses something", id)
		}
	case "partial":
		if !namedTest.MatchString(proof) || text == "" {
			t.Errorf("%s is called partial without a test or a description", id)
		}
	case "planned":
		if namedTest.MatchString(proof) {
			t.Errorf("%s is called planned and names a test", id)
		}
	default:
		t.Errorf("%s has the status %q", id, status)
	}
}

// testExists looks for a test function in a folder's test files.
func testExists(t *testing.T, dir, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "func "+name+"(") {
			return true
		}
	}
	return false
}

// TestReadmesAreInStep compares the headings and code blocks of the two
// READMEs: a reader of either must find the same things.
func TestReadmesAreInStep(t *testing.T) {
	read := func(path string) (levels, blocks []string) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile("(?m)^(#+) ").FindAllStringSubmatch(string(text), -1) {
			levels = append(levels, m[1])
		}
		for _, m := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
			blocks = append(blocks, m[1])
		}
		return levels, blocks
	}
	levels, blocks := read("README.md")
	levelsZH, blocksZH := read("README.zh-CN.md")
	if strings.Join(levels, " ") != strings.Join(levelsZH, " ") || len(levels) < 4 {
		t.Errorf("headings differ: %v, %v", levels, levelsZH)
	}
	if strings.Join(blocks, "") != strings.Join(blocksZH, "") || len(blocks) == 0 {
		t.Errorf("commands differ:\n%s\n%s", blocks, blocksZH)
	}
}

// TestFeaturesShowTheMatrix compares the table of what translates with the page
// that the matrix test writes: pass counts that nobody counted are a claim.
func TestFeaturesShowTheMatrix(t *testing.T) {
	rows := func(path string) (found []string) {
		page, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(page)) {
			if strings.HasPrefix(line, "| ") && strings.Count(line, " passed") > 3 {
				found = append(found, line)
			}
		}
		return found
	}
	shown, counted := rows("docs/FEATURES.md"), rows("docs/dialects/MATRIX.md")
	if len(counted) == 0 || strings.Join(shown, "") != strings.Join(counted, "") {
		t.Errorf("docs/FEATURES.md shows\n%s\nthe matrix counted\n%s", strings.Join(shown, ""), strings.Join(counted, ""))
	}
}
