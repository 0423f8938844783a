package rules

import (
	"slices"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/parser"
)

var (
	operators = []string{"==", "!=", "and", "or", "&&", "||", "in", "contains", "startsWith", "endsWith", "+"}
	ofUser    = []string{"id", "tenant", "roles", "attrs", "guest"}
)

// checkGrammar reads an expression and refuses what the language of this package does not have. Types are for the
// compiler to check.
func checkGrammar(source string, captures []string) error {
	c := conf.New(facts{})
	c.MaxNodes = maxNodes
	tree, err := parser.ParseWithConfig(source, c)
	if err != nil {
		return inWords(err)
	}
	return grammar{captures}.check(tree.Node)
}

type grammar struct{ captures []string }

func (g grammar) check(node ast.Node) error {
	switch n := node.(type) {
	case *ast.StringNode, *ast.BoolNode:
		return nil
	case *ast.IdentifierNode:
		return g.checkName(n)
	case *ast.MemberNode:
		return g.checkMember(n)
	case *ast.UnaryNode:
		if n.Operator != "not" && n.Operator != "!" {
			return errorAt(n.Location(), "%s is no operator here", n.Operator)
		}
		return g.check(n.Node)
	case *ast.BinaryNode:
		return g.checkBinary(n)
	case *ast.ArrayNode:
		return g.checkAll(n.Nodes...)
	case *ast.IntegerNode, *ast.FloatNode:
		return errorAt(n.Location(), "there are no numbers here; attributes are text, so put quotes around it")
	case *ast.NilNode:
		return errorAt(n.Location(), `there is no nil here; what somebody does not have is ""`)
	case *ast.CallNode, *ast.BuiltinNode:
		return errorAt(n.Location(), "there are no functions here")
	}
	return errorAt(node.Location(), "only names, texts, lists in [ ] and operators between them are allowed")
}

func (g grammar) checkAll(nodes ...ast.Node) error {
	for _, n := range nodes {
		if err := g.check(n); err != nil {
			return err
		}
	}
	return nil
}

// checkName checks a name that nothing follows: channel alone is something by itself.
func (g grammar) checkName(n *ast.IdentifierNode) error {
	switch n.Value {
	case "channel":
		return nil
	case "user":
		return errorAt(n.Location(), "say what of user: %s", list(ofUser))
	case "params":
		return errorAt(n.Location(), "say what of params: %s", list(g.captures))
	}
	return errorAt(n.Location(), "the name %s is not known; these are: user, params, channel", n.Value)
}

func (g grammar) checkMember(n *ast.MemberNode) error {
	property, literal := n.Property.(*ast.StringNode)
	switch {
	case isName(n.Node, "user"):
		if !literal || !slices.Contains(ofUser, property.Value) {
			return errorAt(n.Location(), "user has only these: %s", list(ofUser))
		}
		return nil
	case isName(n.Node, "params"):
		if !literal || !slices.Contains(g.captures, property.Value) {
			return errorAt(n.Location(), "params has only what the pattern captures: %s", list(g.captures))
		}
		return nil
	case isAttrs(n.Node):
		return g.check(n.Property)
	}
	if name, ok := n.Node.(*ast.IdentifierNode); ok && name.Value != "channel" {
		return g.checkName(name)
	}
	return errorAt(n.Location(), "only user, user.attrs and params have something in them")
}

func (g grammar) checkBinary(n *ast.BinaryNode) error {
	if !slices.Contains(operators, n.Operator) {
		return errorAt(n.Location(), "%s is no operator here; these are: %s, not", n.Operator, list(operators))
	}
	return g.checkAll(n.Left, n.Right)
}

func isName(node ast.Node, name string) bool {
	n, ok := node.(*ast.IdentifierNode)
	return ok && n.Value == name
}

// isAttrs reports whether a node is user.attrs.
func isAttrs(node ast.Node) bool {
	n, ok := node.(*ast.MemberNode)
	if !ok || !isName(n.Node, "user") {
		return false
	}
	property, ok := n.Property.(*ast.StringNode)
	return ok && property.Value == "attrs"
}
