package app

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
)

// maxMappings bounds how many lines about the process's memory are read.
const maxMappings = 100_000

// forgetProgram unmaps the pages of the program itself, code and constants, that
// the start touched. What is needed again comes back from the kernel's cache of
// the file without a disk, 64 KiB at a time; what only a start needs stays away.
// Pages that somebody changed, as a debugger does for its breakpoints, are kept.
func forgetProgram() error {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return err
	}
	mappings, err := os.Open("/proc/self/smaps")
	if err != nil {
		return err
	}
	defer mappings.Close()
	for _, m := range unchangedMappings(mappings, program) {
		if _, _, e := syscall.Syscall(syscall.SYS_MADVISE, m.from, m.to-m.from, syscall.MADV_DONTNEED); e != 0 {
			return fmt.Errorf("madvise %x: %w", m.from, e)
		}
	}
	return nil
}

// mapping is a range of addresses.
type mapping struct{ from, to uintptr }

// unchangedMappings reads a text like /proc/self/smaps and returns where the program's
// file is mapped, not to be written, and without a page of the process's own.
func unchangedMappings(smaps io.Reader, program string) (list []mapping) {
	scanner := bufio.NewScanner(smaps)
	var at mapping
	ours, own := false, false
	for n := 0; n < maxMappings && scanner.Scan(); n++ {
		line := scanner.Bytes()
		fields := bytes.Fields(line)
		switch {
		case len(fields) == 0:
		case !bytes.HasSuffix(fields[0], []byte(":")):
			_, err := fmt.Sscanf(string(fields[0]), "%x-%x", &at.from, &at.to)
			ours = err == nil && len(fields) > 5 && strings.HasPrefix(string(fields[1]), "r-") && strings.HasSuffix(string(line), program)
		case len(fields) < 2:
		case string(fields[0]) == "Anonymous:":
			own = string(fields[1]) != "0"
		case string(fields[0]) == "Swap:" && ours && !own && string(fields[1]) == "0": // a page of one's own may be there, too
			list = append(list, at)
		}
	}
	return list
}
