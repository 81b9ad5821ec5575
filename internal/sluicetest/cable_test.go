package sluicetest_test

import (
	"bufio"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/sluicegate/sluice/internal/sluicetest"
)

// echo answers each line by itself.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() { // ends when the listener is closed
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { // ends with the connection
				defer c.Close()
				for in := bufio.NewScanner(c); in.Scan(); {
					fmt.Fprintln(c, in.Text())
				}
			}()
		}
	}()
	return l.Addr().String()
}

// says sends a line and reports whether it came back in time.
func says(c net.Conn, line string, limit time.Duration) bool {
	c.SetDeadline(time.Now().Add(limit))
	fmt.Fprintln(c, line)
	got, err := bufio.NewReader(c).ReadString('\n')
	return err == nil && got == line+"\n"
}

// Losing this means that a network test cuts nothing, or never mends it.
func TestCable(t *testing.T) {
	cable := sluicetest.NewCable(t, "127.0.0.1:1")
	cable.To(echo(t))
	dial := func() net.Conn {
		c, err := net.Dial("tcp", cable.Addr())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	old := dial()
	if !says(old, "whole", 5*time.Second) {
		t.Fatal("a whole cable carries nothing")
	}

	cable.Hang()
	fresh := dial()
	if says(old, "lost?", 50*time.Millisecond) || says(fresh, "hello", 50*time.Millisecond) {
		t.Error("a hanging cable carries something")
	}
	cable.Mend(t)
	for c, want := range map[net.Conn]string{old: "lost?\n", fresh: "hello\n"} {
		c.SetDeadline(time.Now().Add(5 * time.Second))
		if got, err := bufio.NewReader(c).ReadString('\n'); got != want {
			t.Errorf("what waited arrived as %q, %v, not %q", got, err, want)
		}
	}

	for name, cut := range map[string]func(){"break": cable.Break, "refuse": cable.Refuse} {
		c := dial()
		if !says(c, name, 5*time.Second) {
			t.Fatalf("before %s nothing is carried", name)
		}
		cut()
		if says(c, name, 5*time.Second) {
			t.Errorf("%s leaves a connection", name)
		}
		if c, err := net.Dial("tcp", cable.Addr()); err == nil {
			if name == "refuse" || says(c, name, 5*time.Second) {
				t.Errorf("%s lets a new connection through", name)
			}
			c.Close()
		}
		cable.Mend(t)
		if !says(dial(), name, 5*time.Second) {
			t.Errorf("after %s nothing is carried", name)
		}
	}
}
