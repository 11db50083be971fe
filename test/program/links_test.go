package program

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	linkToHere = regexp.MustCompile(`\]\(([^():#\s]*)(?:#([^)\s]+))?\)`) // not to another host
	heading    = regexp.MustCompile(`(?m)^#+ (.+)$`)
	codeBlock  = regexp.MustCompile("(?ms)^```.*?^```$")
	notInID    = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// Each link between our pages leads to a file that is there, and to a heading of
// it if it names one.
func TestLinksOfPages(t *testing.T) {
	t.Parallel()
	pages, links := markdown(t, "../.."), 0
	for page, text := range pages {
		for _, link := range linkToHere.FindAllStringSubmatch(text, -1) {
			links++
			target := page
			if link[1] != "" {
				target = filepath.Join(filepath.Dir(page), link[1])
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: %s: %v", page, link[0], err)
			}
			if link[2] != "" && !headings(pages[target])[link[2]] {
				t.Errorf("%s: %s: there is no such heading", page, link[0])
			}
		}
	}
	if links < 100 {
		t.Errorf("only %d links", links)
	}
}

// markdown returns the pages in a folder by their paths, without blocks of code.
func markdown(t *testing.T, folder string) map[string]string {
	t.Helper()
	pages := map[string]string{}
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == ".git" || entry.Name() == "node_modules"):
			return fs.SkipDir
		case filepath.Ext(path) != ".md":
			return nil
		}
		text, err := os.ReadFile(path)
		pages[path] = codeBlock.ReplaceAllString(string(text), "")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return pages
}

// headings returns the headings of a page, as links name them.
func headings(text string) map[string]bool {
	found := map[string]bool{}
	for _, h := range heading.FindAllStringSubmatch(text, -1) {
		id := notInID.ReplaceAllString(strings.ToLower(h[1]), "")
		found[strings.ReplaceAll(id, " ", "-")] = true
	}
	return found
}
