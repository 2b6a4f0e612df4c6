package extract

import (
	"context"

	"go.yaml.in/yaml/v3"

	"github.com/lanyard-id/lanyard/internal/fault"
)

type ldapOrigin struct{}

func notYet() (Reader, error) { return nil, fault.New(fault.Unsupported, "not read yet") }

func (*ldapOrigin) open(context.Context, Env) (Reader, error) { return notYet() }

func (s *section) ldap(*yaml.Node) origin { return &ldapOrigin{} }
