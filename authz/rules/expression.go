package rules

import (
	"context"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"

	"hark/authz"
)

const (
	// MaxExpression is how many bytes the text of an expression may have.
	MaxExpression = 1 << 10
	// maxNodes is how many names, texts and operators it may have.
	maxNodes = 200
	// memoryBudget is how many elements of lists one evaluation may make, more than maxNodes can.
	memoryBudget = 1000
)

// facts are what an expression knows: the names in it are these.
type facts struct {
	User    user              `expr:"user"`
	Params  map[string]string `expr:"params"`
	Channel string            `expr:"channel"`
}

type user struct {
	ID     string            `expr:"id"`
	Tenant string            `expr:"tenant"`
	Roles  []string          `expr:"roles"`
	Attrs  map[string]string `expr:"attrs"`
	Guest  bool              `expr:"guest"`
}

// An expression is compiled. It may be evaluated concurrently.
type expression struct {
	source  string
	program *vm.Program
}

// compileExpression checks the text against the language of this package, which is a small part of expr's, and compiles
// it. The error's text goes on where "when" has been said.
func compileExpression(source string, captures []string) (*expression, error) {
	if len(source) > MaxExpression {
		return nil, fmt.Errorf("is %d bytes long; at most %d are allowed", len(source), MaxExpression)
	}
	if !utf8.ValidString(source) {
		return nil, errors.New("is not UTF-8")
	}
	if err := checkGrammar(source, captures); err != nil {
		return nil, err
	}
	program, err := expr.Compile(source,
		expr.Env(facts{}), expr.AsBool(), expr.WarnOnAny(), expr.MaxNodes(maxNodes), expr.Patch(notEmpty{}))
	if err != nil {
		return nil, inWords(err)
	}
	return &expression{source, program}, nil
}

// eval reports whether the expression holds. An error says that it cannot be told.
func (e *expression) eval(r authz.Request) (bool, error) {
	machine := vm.VM{MemoryBudget: memoryBudget}
	result, err := machine.Run(e.program, facts{
		User: user{
			ID:     r.Identity.ID,
			Tenant: r.Identity.Tenant,
			Roles:  r.Identity.Roles,
			Attrs:  r.Identity.Attrs,
			Guest:  r.Identity.Guest(),
		},
		Params:  r.Captures,
		Channel: r.Channel,
	})
	if err != nil {
		return false, fmt.Errorf("when %s: %w", e.source, inWords(err))
	}
	holds, ok := result.(bool)
	if !ok {
		return false, fmt.Errorf("when %s: it is %T, not true or false", e.source, result)
	}
	return holds, nil
}

// when is the policy that an expression makes.
type when struct {
	*expression
	guests bool // are asked about
}

// Authorize implements [authz.Policy].
func (w when) Authorize(_ context.Context, r authz.Request) (authz.Decision, error) {
	if r.Identity.Guest() && !w.guests {
		return authz.Deny("a guest"), nil
	}
	switch holds, err := w.eval(r); {
	case err != nil:
		return authz.Decision{}, err
	case holds:
		return authz.Allow(), nil
	}
	return authz.Deny("it is not so that " + w.source), nil
}

// inWords puts an error of expr on one line; it draws a picture of two.
func inWords(err error) error {
	if e, ok := errors.AsType[*file.Error](err); ok {
		return errorAt(e.Location, "%s", e.Message)
	}
	return err
}

func errorAt(at file.Location, format string, args ...any) error {
	return fmt.Errorf("has a mistake at character %d: %s", at.From+1, fmt.Sprintf(format, args...))
}

// notEmpty makes "" be in no text: an attribute that somebody does not have would be in all of them.
type notEmpty struct{}

// Visit implements [ast.Visitor].
func (notEmpty) Visit(node *ast.Node) {
	n, ok := (*node).(*ast.BinaryNode)
	if !ok || n.Operator != "contains" && n.Operator != "startsWith" && n.Operator != "endsWith" {
		return
	}
	ast.Patch(node, &ast.BinaryNode{
		Operator: "and",
		Left:     &ast.BinaryNode{Operator: "!=", Left: n.Right, Right: &ast.StringNode{}},
		Right:    n,
	})
}
