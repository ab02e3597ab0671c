# Renders the templates of one job as BOSH would: reads one JSON document from standard input,
# {"job": FOLDER, "properties": {}, "spec": {}, "links": {}}, and writes {TARGET: TEXT} or {"error": "..."}.
require 'erb'
require 'json'
require 'yaml'

class UnknownProperty < StandardError
  def initialize(names)
    super("Can't find property '#{names.join("', or '")}'")
  end
end

# Dotted names over nested hashes.
module Lookup
  def self.find(tree, name)
    name.split('.').reduce(tree) { |at, key| at.is_a?(Hash) ? at[key] : nil }
  end

  def self.put(tree, name, value)
    *path, last = name.split('.')
    path.reduce(tree) { |at, key| at[key] ||= {} }[last] = value
  end
end

class Skipped
  def else
    yield
  end

  def else_if_p(*names)
    @context.if_p(*names) { |*values| yield(*values) }
  end

  def initialize(context)
    @context = context
  end
end

class Done
  def else; end

  def else_if_p(*)
    self
  end
end

Record = Struct.new(:values) do
  def method_missing(name, *)
    values.fetch(name.to_s) { super }
  end

  def respond_to_missing?(name, *)
    values.key?(name.to_s)
  end
end

class Context
  NONE = Object.new
  attr_reader :spec

  # `declared`: the properties of the job's spec; what it does not declare is not there, whatever the manifest says.
  def initialize(declared, properties, spec, links)
    @properties = {}
    declared.each do |name, about|
      value = Lookup.find(properties, name)
      value = about['default'] if value.nil?
      Lookup.put(@properties, name, value) unless value.nil?
    end
    @spec = Record.new(spec)
    @links = links
  end

  def p(names, default = NONE)
    names = Array(names)
    names.each do |name|
      value = Lookup.find(@properties, name)
      return value unless value.nil?
    end
    raise UnknownProperty, names if default.equal?(NONE)
    default
  end

  def if_p(*names)
    values = names.map { |name| Lookup.find(@properties, name) }
    return Skipped.new(self) if values.any?(&:nil?)
    yield(*values)
    Done.new
  end

  def if_link(name)
    return Skipped.new(self) unless @links[name]
    yield link(name)
    Done.new
  end

  def link(name)
    found = @links.fetch(name) { raise "Can't find link '#{name}'" }
    properties = found.fetch('properties', {})
    declared = properties.keys.to_h { |key| [key, {}] }
    Link.new(Context.new(declared, properties, {}, {}), found)
  end

  def render(text, file)
    erb = ERB.new(text, trim_mode: '-')
    erb.filename = file
    erb.result(binding)
  end
end

class Link
  def initialize(context, facts)
    @context = context
    @facts = facts
  end

  def p(*arguments)
    @context.p(*arguments)
  end

  def if_p(*names, &block)
    @context.if_p(*names, &block)
  end

  def address
    @facts.fetch('address')
  end

  def instances
    @facts.fetch('instances', []).map { |instance| Record.new(instance) }
  end
end

input = JSON.parse($stdin.read)
job = input.fetch('job')
about = YAML.load_file(File.join(job, 'spec'))
begin
  context = Context.new(about['properties'] || {}, input['properties'] || {}, input['spec'] || {}, input['links'] || {})
  files = (about['templates'] || {}).to_h do |source, target|
    file = File.join(job, 'templates', source)
    [target, context.render(File.read(file), file)]
  end
  puts JSON.generate(files)
rescue StandardError, ScriptError => e
  puts JSON.generate('error' => e.message)
end
