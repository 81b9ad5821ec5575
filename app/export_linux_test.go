package app

import (
	"fmt"
	"strings"
)

// ForgetProgram is for tests.
var ForgetProgram = forgetProgram

// UnchangedMappings renders what unchangedMappings finds.
func UnchangedMappings(smaps, program string) (list []string) {
	for _, m := range unchangedMappings(strings.NewReader(smaps), program) {
		list = append(list, fmt.Sprintf("%x-%x", m.from, m.to))
	}
	return list
}
