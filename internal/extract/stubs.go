package extract

import (
	"context"

	"go.yaml.in/yaml/v3"

	"github.com/lanyard-id/lanyard/internal/fault"
)

type dynamoOrigin struct{}
type ldapOrigin struct{}
type tableOrigin struct{ name string }

func notYet() (Reader, error) { return nil, fault.New(fault.Unsupported, "not read yet") }

func (*dynamoOrigin) open(context.Context, Env) (Reader, error) { return notYet() }
func (*ldapOrigin) open(context.Context, Env) (Reader, error)   { return notYet() }
func (*tableOrigin) open(context.Context, Env) (Reader, error)  { return notYet() }

func (s *section) dynamodb(*yaml.Node) origin { return &dynamoOrigin{} }
func (s *section) ldap(*yaml.Node) origin     { return &ldapOrigin{} }
func (s *section) table(*yaml.Node) origin    { return &tableOrigin{} }
