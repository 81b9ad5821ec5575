package openai

import (
	"strconv"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

// refuseFile refuses a part of a message that names a file at the provider: it
// lies in an account that tenants share, and one could name another's. Every
// member is looked at, for of two the provider may obey either.
func (a *asked) refuseFile(part jsonscan.Value, message, place int) error {
	for m := part.Members(a.ask.Body); m.Next(); {
		within := ""
		switch v := m.Value(); string(m.Key()) {
		case "file_id":
			if !given(v) {
				continue
			}
		case "file":
			if !a.names(v, "file_id") {
				continue
			}
			within = "/file"
		default:
			continue
		}
		return storedFile("/messages/" + strconv.Itoa(message) + "/content/" + strconv.Itoa(place) + within)
	}
	return nil
}

// refuseImages does so for the pictures that are to be edited.
func (a *asked) refuseImages(found *[memberCount]jsonscan.Value) error {
	i := 0
	for e := found[mImages].Elements(a.ask.Body); e.Next(); i++ {
		if a.names(e.Value(), "file_id") {
			return storedFile("/images/" + strconv.Itoa(i))
		}
	}
	if a.names(found[mMask], "file_id") {
		return storedFile("/mask")
	}
	return nil
}

// names reports whether an object has a member of that name that is not null.
func (a *asked) names(object jsonscan.Value, name string) bool {
	for m := object.Members(a.ask.Body); m.Next(); {
		if string(m.Key()) == name && given(m.Value()) {
			return true
		}
	}
	return false
}

func storedFile(at string) error {
	return sluice.Errorf(sluice.CodeInvalidRequest, "files at the provider are not supported: they lie in an account that tenants share; send the file itself").At(at + "/file_id")
}

// refuseVoice refuses a voice that somebody had made of recordings, which lies
// there as well. The built-in ones have names instead of ids.
func (a *asked) refuseVoice(found *[memberCount]jsonscan.Value) error {
	if a.names(found[mVoice], "id") {
		return storedVoice("/voice/id")
	}
	for m := found[mAudio].Members(a.ask.Body); m.Next(); {
		if string(m.Key()) == "voice" && a.names(m.Value(), "id") {
			return storedVoice("/audio/voice/id")
		}
	}
	return nil
}

func storedVoice(at string) error {
	return sluice.Errorf(sluice.CodeInvalidRequest, "voices made at the provider are not supported: they lie in an account that tenants share; name a built-in one").At(at)
}

// storedRecording refuses what the model said aloud before by its id, for the
// same reason as a file.
func storedRecording(message int) error {
	return sluice.Errorf(sluice.CodeInvalidRequest, "recordings at the provider are not supported: they lie in an account that tenants share; send what was said as content").At("/messages/" + strconv.Itoa(message) + "/audio/id")
}
