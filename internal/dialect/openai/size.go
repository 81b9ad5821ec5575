package openai

import (
	"bytes"

	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

// What media cost in tokens: the most that a known model counts, and what is
// usual. The size of an encoded image says nothing of its tokens.
const (
	imageUpper   = 1 << 16
	imageUsual   = 1 << 10
	audioUpper   = 50 // bytes of encoded audio for each token, at the least
	audioUsual   = 1000
	bytesUsual   = 4 // bytes of text for each token
	fileUsual    = 20
	promptsUpper = 1 << 10 // what a target's template adds around the messages
)

// size is what is known of an input's size without tokenising it.
type size struct {
	text, audio, files int64 // bytes
	images             int64 // pieces
}

// tokens returns an upper bound and an estimate.
func (s size) tokens() (upper, estimate int64) {
	upper = s.text + s.files + s.audio/audioUpper + s.images*imageUpper + promptsUpper
	estimate = s.text/bytesUsual + s.files/fileUsual + s.audio/audioUsual + s.images*imageUsual + 1
	return upper, estimate
}

// readMessages looks for parts that are not text. Most bodies have none, which
// a search for the words that such a part needs tells quickly.
func (a *asked) readMessages(messages jsonscan.Value) error {
	text := messages.In(a.ask.Body)
	if !mayHoldMedia(text) {
		return nil
	}
	i := 0
	for message := messages.Elements(a.ask.Body); message.Next(); i++ {
		if err := a.readMessage(message.Value(), i); err != nil {
			return err
		}
	}
	return nil
}

// readMessage looks at every member, for of two the provider may obey either.
func (a *asked) readMessage(message jsonscan.Value, place int) error {
	body := a.ask.Body
	for m := message.Members(body); m.Next(); {
		switch v := m.Value(); string(m.Key()) {
		case "audio":
			if a.names(v, "id") {
				return storedRecording(place)
			}
		case "content":
			j := 0
			for part := v.Elements(body); part.Next(); j++ {
				if err := a.refuseFile(part.Value(), place, j); err != nil {
					return err
				}
				a.readPart(part.Value())
			}
		}
	}
	return nil
}

// mayHoldMedia reports whether a part of another type than text, or a recording,
// can be in b; an escaped name cannot be ruled out, so such escapes count.
func mayHoldMedia(b []byte) bool {
	return follows(b, '"', "image", "input_", "audio", "file") || follows(b, '\\', "u00")
}

// follows reports whether one of the words stands behind the byte c somewhere
// in b. It hops from one c to the next, which in long texts is several times
// as fast as a search for each word.
func follows(b []byte, c byte, words ...string) bool {
	for {
		i := bytes.IndexByte(b, c)
		if i < 0 {
			return false
		}
		b = b[i+1:]
		for _, word := range words {
			if len(b) >= len(word) && string(b[:len(word)]) == word {
				return true
			}
		}
	}
}

// readPart takes one content part's size out of the text.
func (a *asked) readPart(part jsonscan.Value) {
	kind, _ := jsonscan.Text(a.ask.Body, jsonscan.Find(a.ask.Body, part, "type"))
	n := int64(part.End - part.Start)
	switch kind {
	case "image_url", "input_image", "image":
		a.ask.NeedsVision = true
		a.size.images++
		a.size.text -= n
	case "input_audio", "audio_url":
		a.ask.NeedsAudio = true
		a.size.audio += n
		a.size.text -= n
	case "file", "input_file":
		a.ask.NeedsFiles = true
		a.size.files += n
		a.size.text -= n
	}
}
