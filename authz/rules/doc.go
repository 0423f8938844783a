// Package rules makes policies of rules that are data, for those who write no code: who may be on a channel is said in a
// configuration file, and checked when the server starts.
//
//	signed_in: true               whoever is not a guest
//	owner: id                     the user whose id is what the pattern captured as {id}
//	role_in: [editor, admin]      users who have one of the roles
//	in_tenant: tenant             users whose tenant is what the pattern captured as {tenant}
//	everyone: true                guests too (on a presence channel there are none)
//	when: user.attrs.plan == "pro"    an expression, see below
//	any_of: [{owner: id}, {role_in: [admin]}]    at least one of these
//	for: 15m                      an allow lapses then, and the policies are asked again
//	deny: true                    keeps out instead
//
// Several in one [Rule] must all hold. What a rule says:
//
//   - It allows when all holds, and denies when something does not. So a rule beside others narrows what they open.
//   - With deny it is turned round: it denies when all holds, always if there is nothing else in it, and has no opinion
//     otherwise. Such a rule opens nothing.
//   - No rule lets a guest in that does not say everyone. Beside it, when is asked about guests too. Where a rule denies,
//     when is always asked about guests: nobody slips past it by not signing in.
//   - An expression that cannot be evaluated means that the policy could not be asked. That is never yes.
//
// # Expressions
//
// An expression is true or false, and compares these:
//
//	user.id  user.tenant  user.attrs.NAME  user.attrs["any name"]  params.NAME  channel    texts
//	user.roles                                                                             a list of texts
//	user.guest  true  false
//	"text"  'text'  ["a", "b"]
//
// params are the captures of the pattern, unescaped. What somebody does not have is "": a tenant, an attribute.
//
//	==  !=                            text + text               and  or  not  (also &&  ||  !)
//	in  not in                        text in list, "name" in user.attrs
//	contains  startsWith  endsWith    text in text; nothing contains "", so that a missing attribute matches nothing
//
// There are no functions, variables, loops, numbers and regular expressions: what an expression costs is bounded by its
// text, which is bounded too ([MaxExpression]), and by what the identity has brought along.
package rules
