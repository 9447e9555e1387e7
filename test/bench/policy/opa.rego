# The workload's rules as data, indexed by app; compiled to opa.wasm by
#   opa build -t wasm -e sallyport/verdict opa.rego   (Open Policy Agent 1.4.2), then taken out of bundle.tar.gz
package sallyport

default verdict := "deny"

verdict := "allow" if {
	some rule in data.rules[input.app].allow
	matches(rule)
	not denied
}

denied if {
	some rule in data.rules[input.app].deny
	matches(rule)
}

matches(rule) if {
	device(rule)
	method(rule)
	mfa(rule)
	risk(rule)
	country(rule)
	group(rule)
	path(rule)
	hours(rule)
	network(rule)
}

device(rule) if not rule.hardened

device(_) if input.hardened

group(rule) if not rule.groups

group(rule) if {
	some name in rule.groups
	input.groups[name]
}

method(rule) if not rule.methods

method(rule) if rule.methods[input.method]

mfa(rule) if not rule.mfa

mfa(rule) if input.mfaAge <= rule.mfa

risk(rule) if not rule.riskBelow

risk(rule) if input.risk < rule.riskBelow

country(rule) if not rule.countries

country(rule) if rule.countries[input.country]

hours(rule) if not rule.hours

hours(rule) if {
	some window in rule.hours
	input.minute >= window[0]
	input.minute < window[1]
}

path(rule) if not rule.prefix

path(rule) if input.path == rule.prefix

path(rule) if startswith(input.path, rule.below)

network(rule) if not rule.network

network(rule) if {
	input.ip >= rule.network[0]
	input.ip <= rule.network[1]
}
