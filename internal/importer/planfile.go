package importer

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/flate"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash"
	"io"
	"iter"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// How the entities of plans are kept and written: as lines of JSON, of which some
// hundred at a time are in memory.

// planVersion is that of the form of plans. Those before 2 had their entities in
// front of what says how to read them.
const planVersion = 2

// planLines are the entities of a plan as lines of JSON, in compressed pieces.
type planLines struct {
	spool spool
	open  []byte // lines that are no piece yet
	lines int    // in open
	count int    // in all
	sum   hash.Hash
	// blind: they are only counted and hashed.
	blind bool
}

func (l *planLines) add(line []byte) error {
	if l.sum == nil {
		l.sum = sha256.New()
	}
	l.sum.Write(line)
	l.sum.Write([]byte{'\n'})
	l.count++
	if l.blind {
		return nil
	}
	l.open = append(append(l.open, line...), '\n')
	if l.lines++; l.lines < itemsInBlock {
		return nil
	}
	return l.flush()
}

func (l *planLines) flush() error {
	if l.lines == 0 {
		return nil
	}
	body, err := compress(l.open)
	if err != nil {
		return err
	}
	l.open, l.lines = l.open[:0], 0
	return l.spool.put(body)
}

// digest stands for all lines.
func (l *planLines) digest() string {
	if l.sum == nil {
		return ""
	}
	return hex.EncodeToString(l.sum.Sum(nil))
}

// pieces is how many pieces there are when all is flushed.
func (l *planLines) pieces() int { return len(l.spool.ends) }

// piece yields the lines of the n-th piece, from 0. They are good until the next.
func (l *planLines) piece(n int) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		body, err := l.spool.piece(n)
		if err == nil {
			body, err = io.ReadAll(flate.NewReader(bytes.NewReader(body)))
		}
		if err != nil {
			yield(nil, fault.Wrap(fault.Internal, err, "the plan cannot be read"))
			return
		}
		for line := range bytes.Lines(body) {
			if !yield(line[:len(line)-1], nil) {
				return
			}
		}
	}
}

// Add puts an entity at the end of a plan, which is sealed afterwards.
func (p *Plan) Add(e *PlanEntity) error {
	line, err := json.Marshal(e)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "the plan cannot be written as JSON")
	}
	p.Size++
	return p.entities.add(line)
}

// Seal gives a plan the digest of what it says now.
func (p *Plan) Seal() (err error) {
	if err := p.entities.flush(); err != nil {
		return err
	}
	p.Digest, err = p.digest()
	return err
}

// Close forgets the entities of a plan.
func (p *Plan) Close() {
	if p != nil {
		p.entities.spool.close()
	}
}

// Entities yields what the plan does, in its order; an error ends it. They may be
// gone through any number of times, until Close.
func (p *Plan) Entities() iter.Seq2[*PlanEntity, error] {
	return func(yield func(*PlanEntity, error) bool) {
		for n := range p.entities.pieces() {
			for line, err := range p.entities.piece(n) {
				e := &PlanEntity{}
				if err == nil {
					err = decodeLine(line, e)
				}
				if !yield(e, err) || err != nil {
					return
				}
			}
		}
	}
}

// records are those that some entities come from, as a block of the session that
// carries the plan out; seq counts from 1.
func (p *Plan) records(seq int) (*block, error) {
	b := &block{}
	for line, err := range p.entities.piece(seq - 1) {
		if err != nil {
			return nil, err
		}
		var one struct {
			Record *item `json:"record"`
		}
		if err := decodeLine(line, &one); err != nil {
			return nil, err
		}
		if one.Record == nil {
			return nil, fault.New(fault.Invalid, "the plan has an entity without its record").Fix("make a new one")
		}
		b.Items = append(b.Items, *one.Record)
	}
	return b, nil
}

func decodeLine(line []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.UseNumber() // digits count for the digest
	if err := dec.Decode(into); err != nil {
		return fault.Wrap(fault.Invalid, err, "an entity of the plan cannot be read").Fix("make a new plan")
	}
	return nil
}

// digest covers what the plan does, the rules by which it does so, and the figures
// that guards look at.
func (p *Plan) digest() (string, error) {
	sum := sha256.New()
	enc := json.NewEncoder(sum)
	parts := []any{
		p.Version, p.Realm, p.Source, p.Type, p.Settings, p.Rules, p.Counts, p.Loaded, p.Same, p.Scanned, append([]string{}, p.Doubled...),
		p.entities.count, p.entities.digest(),
	}
	if p.Draft != nil {
		parts = append(parts, p.Label, p.Draft)
	}
	for _, part := range parts {
		if err := enc.Encode(part); err != nil {
			return "", fault.Wrap(fault.Internal, err, "the plan cannot be written as JSON")
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// WriteTo implements io.WriterTo: it writes a plan as a JSON document.
func (p *Plan) WriteTo(w io.Writer) (n int64, err error) {
	buffered := bufio.NewWriterSize(w, 1<<16)
	out := &counting{to: buffered}
	head, err := json.Marshal(p)
	if err != nil {
		return 0, fault.Wrap(fault.Internal, err, "the plan cannot be written as JSON")
	}
	out.write(bytes.TrimSuffix(head, []byte("}")), []byte(",\"entities\":["))
	between := []byte("\n")
	for piece := range p.entities.pieces() {
		for line, err := range p.entities.piece(piece) {
			if err != nil {
				return out.n, err
			}
			out.write(between, line)
			between = []byte(",\n")
		}
		if out.err != nil {
			break
		}
	}
	out.write([]byte("\n]}\n"))
	return out.n, cmp.Or(out.err, buffered.Flush())
}

// counting counts what is written, until it fails.
type counting struct {
	to  io.Writer
	n   int64
	err error
}

func (c *counting) write(parts ...[]byte) {
	for _, part := range parts {
		if c.err == nil {
			var n int
			n, c.err = c.to.Write(part)
			c.n += int64(n)
		}
	}
}

// ReadPlan reads what WriteTo wrote, to its end, and makes sure that it is whole and
// as it was made. The plan is to be closed.
func ReadPlan(r io.Reader) (*Plan, error) {
	p := &Plan{}
	err := p.read(json.NewDecoder(r))
	if err == nil {
		err = p.intact()
	}
	if err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

func (p *Plan) read(dec *json.Decoder) error {
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return noPlan(err)
	}
	head := map[string]json.RawMessage{}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return noPlan(err)
		}
		if name == "entities" {
			err = p.readEntities(dec)
		} else {
			var v json.RawMessage
			if err = dec.Decode(&v); err != nil {
				err = noPlan(err)
			}
			head[name.(string)] = v //nolint:forcetypeassert // in front of a value, the decoder lets only strings pass
		}
		if err == nil && name == "version" {
			err = ofThisVersion(head["version"])
		}
		if err != nil {
			return err
		}
	}
	if _, err := dec.Token(); err != nil {
		return noPlan(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return fault.New(fault.Invalid, "something stands behind the plan").Fix("make a new one")
	}
	text, err := json.Marshal(head)
	if err == nil {
		err = decodeLine(text, p)
	}
	return err
}

// ofThisVersion refuses the plans of other versions, whose form may be another one.
func ofThisVersion(version []byte) error {
	if n := 0; json.Unmarshal(version, &n) == nil && n == planVersion {
		return nil
	}
	return fault.New(fault.Unsupported, "the plan was made by another version of lanyard").Fix("make a new one")
}

func (p *Plan) readEntities(dec *json.Decoder) error {
	if open, err := dec.Token(); err != nil || open != json.Delim('[') {
		return noPlan(err)
	}
	var raw json.RawMessage
	var line bytes.Buffer
	for dec.More() {
		if err := dec.Decode(&raw); err != nil {
			return noPlan(err)
		}
		line.Reset()
		if err := json.Compact(&line, raw); err != nil {
			return noPlan(err)
		}
		if err := p.entities.add(line.Bytes()); err != nil {
			return err
		}
	}
	if _, err := dec.Token(); err != nil {
		return noPlan(err)
	}
	return p.entities.flush()
}

// noPlan says why a document is none; nil: something else stands where a part of a
// plan should.
func noPlan(err error) error {
	var syntax *json.SyntaxError
	var f *fault.Error
	switch {
	case errors.As(err, &f), errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return fault.Wrap(fault.Invalid, err, "the plan is cut off: it has no end").Fix("make a new one, or copy it again")
	case err == nil, errors.As(err, &syntax):
		return fault.Wrap(fault.Invalid, err, "this is no plan of an import").Fix("make one with lanyard import preview SOURCE --out FILE")
	}
	return fault.Wrap(fault.Unavailable, err, "the plan cannot be read to its end")
}

// intact makes sure that a plan says what it said when it was made.
func (p *Plan) intact() error {
	if p.Version != planVersion || p.Digest == "" {
		return fault.New(fault.Invalid, "this is no plan of an import").Fix("make one with lanyard import preview SOURCE --out FILE")
	}
	if p.Size > p.entities.count {
		return fault.New(fault.Invalid, "the plan is cut off: it has %d of %d entities", p.entities.count, p.Size).Fix("make a new one, or copy it again")
	}
	if digest, err := p.digest(); err != nil || digest != p.Digest {
		return fault.New(fault.Invalid, "the plan was changed after it was made").Fix("make a new one")
	}
	return nil
}
