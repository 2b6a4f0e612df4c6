package importer

import (
	"os"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// spool keeps pieces of bytes in a file of the system's temporary folder instead of
// memory: what would grow with a source and is needed more than once, but not when
// the process has ended. The zero spool is empty. Pieces may be read by several at a
// time, while nobody puts.
type spool struct {
	file *os.File
	ends []int64 // of the pieces
}

// put keeps one more piece.
func (s *spool) put(piece []byte) error {
	if s.file == nil {
		file, err := os.CreateTemp("", "lanyard-*")
		if err != nil {
			return spoolFault(err)
		}
		s.file = file
		// It holds people: without a name, nothing of it stays behind however the
		// process ends. Where open files keep their names, close removes it.
		_ = os.Remove(file.Name())
	}
	at := s.end(len(s.ends))
	if _, err := s.file.WriteAt(piece, at); err != nil {
		return spoolFault(err)
	}
	s.ends = append(s.ends, at+int64(len(piece)))
	return nil
}

// piece returns the n-th piece, from 0.
func (s *spool) piece(n int) ([]byte, error) {
	from := s.end(n)
	b := make([]byte, s.ends[n]-from)
	if _, err := s.file.ReadAt(b, from); err != nil {
		return nil, spoolFault(err)
	}
	return b, nil
}

// end is where the first n pieces end.
func (s *spool) end(n int) int64 {
	if n == 0 {
		return 0
	}
	return s.ends[n-1]
}

// close forgets all pieces.
func (s *spool) close() {
	if s.file == nil {
		return
	}
	_ = s.file.Close()
	_ = os.Remove(s.file.Name()) // it has no name any more on most systems
	s.file, s.ends = nil, nil
}

func spoolFault(err error) error {
	return fault.Wrap(fault.Unavailable, err, "what an import needs for a while cannot be kept on disk").
		Fix("make room in %s, or name another folder in TMPDIR", os.TempDir())
}
