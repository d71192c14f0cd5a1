<?php
// Reads a template as the import of Zabbix does: ZABBIX TEMPLATE, run by test_zabbix.py.
$root = $argv[1];
set_include_path($root);
require_once $root.'/include/defines.inc.php';
require_once $root.'/include/func.inc.php';
require_once $root.'/include/gettextwrapper.inc.php'; require_once $root.'/include/translateDefines.inc.php';
spl_autoload_register(function($class) use ($root) {
	static $files = null;
	if ($files === null) {
		foreach (new RecursiveIteratorIterator(new RecursiveDirectoryIterator($root.'/include/classes')) as $f)
			if ($f->isFile()) $files[$f->getBasename('.php')] = $f->getPathname();
	}
	if (isset($files[$class])) require_once $files[$class];
});
require_once $root.'/vendor/autoload.php';
$data = CImportReaderFactory::getReader('yaml')->read(file_get_contents($argv[2]));
$factory = new CImportValidatorFactory('yaml');
$validator = new CXmlValidator($factory, 'yaml');
$data = $validator->setStrict(true)->validate($data, '/');
$schema = $factory->getObject(ZABBIX_EXPORT_VERSION)->getSchema();
$data = (new CConstantImportConverter($schema))->convert($data);
$data = (new CDefaultImportConverter($schema))->convert($data);
$adapter = new CImportDataAdapter();
$adapter->load($data);
echo count($adapter->getTemplates()), " templates\n";
$parser = new CExpressionParser(['usermacros'=>true,'lldmacros'=>true]);
$n=0;
array_walk_recursive($data, function($v,$k) use ($parser,&$n) { if ($k==='expression') { $n++; if ($parser->parse($v) != CParser::PARSE_SUCCESS) { fwrite(STDERR, "bad expression: $v\n"); exit(1);} } });
echo "$n expressions\n";
