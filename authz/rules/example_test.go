package rules_test

import (
	"fmt"

	"hark/authz"
	"hark/authz/rules"
)

// A rule is data; here it opens a document to its owner, and to editors whose plan says so.
func ExampleCompile() {
	pattern, err := authz.ParsePattern("private-doc.{owner}.{name...}")
	if err != nil {
		fmt.Println(err)
		return
	}
	policy, err := rules.Compile(pattern, rules.Rule{AnyOf: []rules.Conditions{
		{Owner: "owner"},
		{RoleIn: []string{"editor"}, When: `user.attrs.plan == "pro"`},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	registry := authz.NewRegistry()
	registry.Handle(pattern.String(), policy)

	_, err = rules.Compile(pattern, rules.Rule{Conditions: rules.Conditions{When: `user.id = params.owner`}})
	fmt.Println(err)
	// Output: authz/rules: when has a mistake at character 9: unexpected token Operator("=")
}
