package anthropic

import (
	"bytes"
	"strconv"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

// readStored refuses references to files and containers: they lie in an account
// at the provider that tenants share, and one could name another's.
func (a *asked) readStored(f *found) error {
	body := a.ask.Body
	if v := f[atContainer]; v.Kind == jsonscan.String || names(body, v, "id") {
		return refuseReference("/container", "containers")
	}
	if !bytes.Contains(body, []byte(`"file_id"`)) && !bytes.Contains(body, []byte(`\u00`)) {
		return nil
	}
	i := 0
	for message := a.messages.Elements(body); message.Next(); i++ {
		content := jsonscan.Find(body, message.Value(), "content")
		if err := a.refuseFiles(content, "/messages/"+strconv.Itoa(i)+"/content", true); err != nil {
			return err
		}
	}
	return nil
}

// refuseFiles looks at the blocks of a content; nested ones stand in results of
// tools. Every member is looked at, for of two the provider may obey either.
func (a *asked) refuseFiles(content jsonscan.Value, at string, nested bool) error {
	body, i := a.ask.Body, 0
	for block := content.Elements(body); block.Next(); i++ {
		field := at + "/" + strconv.Itoa(i)
		for m := block.Value().Members(body); m.Next(); {
			switch v := m.Value(); string(m.Key()) {
			case "file_id":
				return refuseReference(field+"/file_id", "files")
			case "source":
				if names(body, v, "file_id") {
					return refuseReference(field+"/source/file_id", "files")
				}
			case "content":
				if !nested {
					continue
				}
				if err := a.refuseFiles(v, field+"/content", false); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// names reports whether an object has a member of that name that is not null.
func names(body []byte, object jsonscan.Value, name string) bool {
	for m := object.Members(body); m.Next(); {
		if string(m.Key()) == name && given(m.Value()) {
			return true
		}
	}
	return false
}

// refuseReference explains why an object at the provider cannot be named.
func refuseReference(field, what string) error {
	return sluice.Errorf(sluice.CodeInvalidRequest, "%s at the provider are not supported: they lie in an account that tenants share", what).At(field)
}
