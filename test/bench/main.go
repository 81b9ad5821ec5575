// Command bench measures what a proxied request costs, against nginx in the
// same run.
//
// It starts, as processes of their own, a cheap upstream (this binary, "mock"),
// a load generator (this binary, "load"), nginx from the system's packages, and
// the gateway under test. The gateway has one core for itself, upstream and
// load share another. Every workload runs against nginx and the gateway in
// turn, several times; a figure is the median. CPU is what /proc counts for the
// gateway's process tree. An answer that is wrong, or a stream event that is
// missing, voids the figure.
//
//	go run ./test/bench                  all workloads, 5 pairs
//	go run ./test/bench -pairs 1 -time 1s -only plain
//
// It prints a table and writes bench.json and bench.svg into -out.
package main

import (
	"fmt"
	"os"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run chooses the role of this process: the parts of a run are processes of the
// same binary.
func run(args []string) error {
	roles := map[string]func([]string) error{"mock": mockMain, "load": loadMain, "forward": forwardMain, "books": booksMain, "ledger": ledgerMain}
	if len(args) > 0 {
		if role, ok := roles[args[0]]; ok {
			return role(args[1:])
		}
	}
	return benchMain(args)
}
