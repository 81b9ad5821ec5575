package openai

import (
	"strconv"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

// maxCustom bounds the input of one such call, in bytes.
const maxCustom = 1 << 20

// custom is a call of a function that stands for a tool of free text: the text
// is an argument, and can be told once that is whole.
type custom struct {
	choice int
	// key is the provider's, own the emitter's: providers use theirs twice.
	key, own, id string
	arguments    []byte
	told         bool
}

// beginCustom begins such a call, or adds to one whose name is repeated.
func (d *decoder) beginCustom(n int, key string, call form.Call, piece string, signature form.Signature) error {
	if c := d.customOf(n, key); c != nil && (call.ID == "" || call.ID == c.id) {
		return d.addCustom(c, piece)
	}
	own := "custom " + strconv.Itoa(len(d.customs))
	if err := d.emitter.Call(n, own, call, "", signature); err != nil {
		return err
	}
	d.customs = append(d.customs, custom{choice: n, key: key, own: own, id: call.ID})
	return d.addCustom(&d.customs[len(d.customs)-1], piece)
}

// customOf finds the latest such call of a key, nil if there is none.
func (d *decoder) customOf(n int, key string) *custom {
	for i := len(d.customs) - 1; i >= 0; i-- {
		if c := &d.customs[i]; c.choice == n && c.key == key {
			return c
		}
	}
	return nil
}

// addCustom adds to the arguments and tells the text when they look whole.
func (d *decoder) addCustom(c *custom, piece string) error {
	if c.told {
		return nil
	}
	if len(c.arguments)+len(piece) > maxCustom {
		return sluice.Errorf(sluice.CodeProviderTooLarge, "the provider's answer holds a call of more than %d bytes", maxCustom)
	}
	c.arguments = append(c.arguments, piece...)
	if n := len(c.arguments); n < 2 || c.arguments[n-1] != '}' || c.arguments[n-2] != '"' {
		return nil // the text itself holds many a brace
	}
	if v := jsonscan.At(c.arguments, 0); v.End != len(c.arguments) {
		return nil
	}
	return d.tellCustom(c)
}

// tellCustom tells the text. Arguments of another shape are told as they are:
// the client's tool will say what it makes of them.
func (d *decoder) tellCustom(c *custom) error {
	text, ok := jsonscan.Text(c.arguments, jsonscan.Find(c.arguments, jsonscan.At(c.arguments, 0), customInput))
	if !ok {
		text = string(c.arguments)
	}
	c.told, c.arguments = true, nil
	return d.emitter.Call(c.choice, c.own, form.Call{}, text, form.Signature{})
}

// endCustoms tells what did not look whole.
func (d *decoder) endCustoms() error {
	for i := range d.customs {
		if c := &d.customs[i]; !c.told {
			if err := d.tellCustom(c); err != nil {
				return err
			}
		}
	}
	return nil
}
