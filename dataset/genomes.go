package dataset

import "strings"

// Debian packages of which genomes are taken.
var (
	debRagout    = Package{"ragout-examples", "2.3-4", 18434168, "cbe6d0dd8b0e36ef2c93c9b9655955f42019dcd9e9b77388ee58ee54d50bd140"}
	debSmalt     = Package{"smalt-examples", "0.7.6-12", 71871348, "ffb01b7ff91cd29bd45c980cdeea90d986146dd2e907fd9e365d3a8fa75b0751"}
	debMafFilter = Package{"maffilter-examples", "1.3.1+dfsg-4", 79214344, "16a25c6cdbe6b89bb6520bb6f192e75abf348602f98b5481f37d8a13d56ee8cc"}
	debKleborate = Package{"kleborate-examples", "2.3.1-2", 5992932, "6039a0ee139e0b5f8a288f2bba298326419dc856c166e53e27da319c2d9ce29f"}
	debKmer      = Package{"kmer-examples", "0~20150903+r2013-8", 2352928, "f94b7062d92bc820ced42b83f8be83b9f6772c9c4093689a4135535e8ceb1da7"}
	debAny2fasta = Package{"any2fasta-examples", "0.4.2-2", 6509616, "7345afc5878efe867285622415a0ba70b9c32bbd57849df63c4600217c4502f9"}
	debPAML      = Package{"paml-doc", "4.9j+dfsg-4", 955916, "06b55331ee524bd4c850bccafbaad2185ec33073c06007ac2ae412e1bc317f36"}
)

const docs = "usr/share/doc/"

// lifeFiles are the files of tree-of-life: one a taxon, named by it.
func lifeFiles() []File {
	const (
		ragout    = docs + "ragout/examples/"
		smalt     = docs + "smalt/test/data/"
		ncbi      = docs + "kmer-examples/test_data.tar.gz//"
		primates  = docs + "maffilter/examples/Gorilla/Compara.epo_5_catarrhini_hsap-projected.chr22.subset.nogap.cleaned_aln.maf.gz"
		fungi     = docs + "maffilter/examples/Ztritici/tba_refIPO323.maf.gz"
		smut      = docs + "maffilter/examples/Umaydis/Umaydis.fasta.gz"
		kleb      = docs + "kleborate/examples/data/Klebs_HS11286.fna.xz"
		spirochet = docs + "any2fasta/examples/test.gbk.gz"
	)
	return []File{
		{Name: "Escherichia_coli.fa.gz", Package: debRagout.Name, Member: ragout + "E.Coli/references/MG1655-K12.fasta.gz", Size: 1386363, SHA256: "ae952b2873ef8badc956925a61c5b536d4e40322b4e8b15dde3d8eda7ce3c879"},
		{Name: "Helicobacter_pylori.fa.gz", Package: debRagout.Name, Member: ragout + "H.Pylori/references/G27.fasta.gz", Size: 479920, SHA256: "80dd2ad4125b47fa644350cec0bee7bf3956e379bf3e3e97a25e9c17ba297658"},
		{Name: "Staphylococcus_aureus.fa.gz", Package: debRagout.Name, Member: ragout + "S.Aureus/references/N315.fasta.gz", Size: 823062, SHA256: "f00af0fea6d59d4aef1cac64be57a5215739b7c23fae7f6bc0d44e1f9805a0e9"},
		{Name: "Vibrio_cholerae.fa.gz", Package: debRagout.Name, Member: ragout + "V.Cholerae/references/O1_biovar.fasta.gz", Size: 1203515, SHA256: "ef8ecca73105608a904c9e81973ef3af472096e349a463fbec324411c6566cc9"},
		{Name: "Klebsiella_pneumoniae.fa", Package: debKleborate.Name, Member: kleb, Made: madeUnpacked, Size: 5753994, SHA256: "39b31aaafe72bfdb74ef55addddafa9d6db690458164b2caf9746a4f16d31bb1"},
		{Name: "Mycobacterium_tuberculosis.fa", Package: debKmer.Name, Member: ncbi + "GCF_000195955.2_ASM19595v2_genomic.fna", Size: 4466740, SHA256: "427dc8cea7ffbbac1b0baa31362bb7a30cac0a3ca9052d73634adf9122a63b28"},
		{Name: "Mycobacterium_leprae.fa", Package: debKmer.Name, Member: ncbi + "GCF_000195855.1_ASM19585v1_genomic.fna", Size: 3309121, SHA256: "f2019291d0a11f2afe7ad0bbfacec60368134f3d0990e719165924c61bd7680d"},
		{Name: "Streptococcus_suis.fa", Package: debSmalt.Name, Made: madeUpper, Member: smalt + "sequence_test_1.fa.gz", Size: 2040981, SHA256: "3c6f3bd7ae5c12b68893cc2a1ed0ef45ef2c056aa87376c6ccf9d13499061520"},
		{Name: "Leptospira_kirschneri.fa", Package: debAny2fasta.Name, Member: spirochet, Made: madeGenBank, Size: 4659556, SHA256: "4dd54426b882aa215c105a4100d9a906473c3ef5d3fefda1b68ddbabdc8eb51c"},
		{Name: "Zymoseptoria_tritici.fa", Package: debMafFilter.Name, Member: fungi, Made: madeRuns + " Ztritici_IPO323", Size: 40217488, SHA256: "b811a3c48d703f890cce755e690a160cd9c8e9cf1f20f588829306fdf8ee9709"},
		{Name: "Zymoseptoria_pseudotritici.fa", Package: debMafFilter.Name, Member: fungi, Made: madeRuns + " Zpseudotritici_221", Size: 29044217, SHA256: "f39b63d5acdf49ebf3ec4d389807dece080575893e4c2fe6a4181090c717130c"},
		{Name: "Zymoseptoria_ardabiliae.fa", Package: debMafFilter.Name, Member: fungi, Made: madeRuns + " Zardabiliae_111", Size: 27722754, SHA256: "78017dd1be3e3a5d38a35e0564e9899d4821c5d35e83e351a09f61aa8a923634"},
		{Name: "Zymoseptoria_passerinii.fa", Package: debMafFilter.Name, Member: fungi, Made: madeRuns + " Spasserinii_P63", Size: 24751691, SHA256: "7e3b90b56c5219295dd0bae4bea13d3da73a3286b9a4dc609abc809290b6271a"},
		{Name: "Ustilago_maydis.fa.gz", Package: debMafFilter.Name, Member: smut, Size: 5924812, SHA256: "c17536af09c2b7828fc14aa86bb13eaa364cdaca416879248597c3454a107e4f"},
		{Name: "Plasmodium_falciparum.fa", Package: debSmalt.Name, Made: madeUpper, Member: smalt + "genome_1.fa.gz", Size: 23652276, SHA256: "9e44942a388e46892e798946eeef4be48be49f62764fd77a63921c723a91fe72"},
		{Name: "Plasmodium_knowlesi.fa", Package: debSmalt.Name, Made: madeUpper, Member: smalt + "cigar_ref.fa.gz", Size: 26445036, SHA256: "cb612c9595f29f6c1a9b110292e22caa569569e9b5649d2919863bff249566cc"},
		{Name: "Homo_sapiens.fa", Package: debMafFilter.Name, Member: primates, Made: madeBlocks + " Hsap", Size: 22086038, SHA256: "d47b0ecb2fb831bf2061357dd67d09bbcca24610030841fdc191007a7611b629"},
		{Name: "Pan_troglodytes.fa", Package: debMafFilter.Name, Member: primates, Made: madeBlocks + " Ptro", Size: 22074697, SHA256: "0a4eb5e67e42efffc068168f8e27eaf2855c047f5006124f7d9bfaa0a34117fe"},
		{Name: "Gorilla_gorilla.fa", Package: debMafFilter.Name, Member: primates, Made: madeBlocks + " Ggor", Size: 22078736, SHA256: "70238d194f2c061a2de674fcf4f52202909f248f55d6c1de025c7c461a2767f0"},
		{Name: "Pongo_abelii.fa", Package: debMafFilter.Name, Member: primates, Made: madeBlocks + " Ppyg", Size: 22017363, SHA256: "3e38cac99a07d1b4418da7713214993bab4abd6439bcfb358f4494b863f88fd6"},
	}
}

// mammals are the sequences of paml-doc's mtCDNAmam.nuc: the taxon and the name in the file. The file's notes give the species.
var mammals = []struct {
	taxon, name string
	size        int64
	sum         string
}{
	{"Homo_sapiens", "1.H.sapiens", 10131, "6dfd251a2a3a59511e90b231456f8551638483c280c253d5c1fd8cacdf926c38"},
	{"Pan_troglodytes", "2.chimpanzee", 10132, "6a41ca176e485df6ad6c0233f18871785d7587ef197ae9e4444cb06b34b0c811"},
	{"Pan_paniscus", "3.bonobo", 10128, "f4622cf958feb3f5cf0f76658d0aa7f2e7c88571be5c9313e90563d12686307a"},
	{"Gorilla_gorilla", "4.gorilla", 10129, "539922a127ca524f74366bc21835d73b1ff4b732af2f1318b77944961c2e46fb"},
	{"Pongo_pygmaeus", "5.Bornean orangutan", 10139, "742ca9d4239eba7f11022e95ce41a229b467867670cb73d7c21030b2ae0ba1fa"},
	{"Pongo_abelii", "6.Sumatran orangutan", 10140, "76144f00705d9cb98675d5ee40ba621a282678a14c4d9f6958c5b9e151741b16"},
	{"Hylobates_lar", "7.gibbon", 10128, "d647f9cce7e9cb4100d65862acc9634deee0fc58b6c7e7444a83a8b4e39cb198"},
	{"Phoca_vitulina", "8.harbor seal", 10133, "cb588275ad446887d47113e88505446dd5a7c22138ead138e07ef354ac00156e"},
	{"Halichoerus_grypus", "9.grey seal", 10131, "f1bc236d5e34f30a77fbb9f50688d31eb23e6d0ebcc6b2e3009abae03dd60979"},
	{"Felis_catus", "10.cat", 10126, "973be2060a67a1571c58bbee0ea6c30bcd379e4fe04cd33f89800c12dbdfdc16"},
	{"Equus_caballus", "11.horse", 10128, "fa9ebfea48becbdf40ac24997b69b2683411aa9e9260c86e574362db2268d42a"},
	{"Rhinoceros_unicornis", "12.rhinoceros", 10133, "17239b6ddae2400e792aa10088295ef3cc674a947c29ce9b601187bcdd915aa1"}, //nolint:misspell // the species
	{"Bos_taurus", "13.cow", 10126, "a191a834de88e5d64ed617614fdaf36d7c7cec5d61f40220197b212096b1e1e4"},
	{"Balaenoptera_physalus", "14.fin whale", 10132, "e4541d66c13943726270f6ac485d96fe4aca4c4f09975676b31ff41e6aceb90a"},
	{"Balaenoptera_musculus", "15.blue whale", 10133, "71e3e3ca6feddb19a59c35029657fd029c8ec0413482b65741f108d657b43ef3"},
	{"Rattus_norvegicus", "16.rat", 10126, "63767eda56d621df8ca3c2efc148501a7fc23469d3f388006de674b60fad4366"},
	{"Mus_musculus", "17.mouse", 10128, "f4d7e0cf4a170ea7adad03f9534ce4c4d9e1e291b365d2a1cb2bfb13cb030f9f"},
	{"Osphranter_robustus", "18.wallaroo", 10131, "97f2f26d24fe64e2b421ca9488e55af96ab7f22d33b7d706ea81ea94ee42828c"},
	{"Didelphis_virginiana", "19.opossum", 10130, "b43147eb773c2fa186249741efbd6d6ab6b3a522bfc9b31692ac79295f14c52a"},
	{"Ornithorhynchus_anatinus", "20.platypus", 10131, "0cd339314ad9bc08be0cfd429712962b2433e580544d64b43a239ea2891f6952"},
}

// of puts the packages into an entry.
func (e Entry) of(debs ...Package) Entry {
	names := make([]string, len(debs))
	for i, d := range debs {
		names[i] = d.Name
		e.Download += d.Download
	}
	e.Packages, e.Package = debs, strings.Join(names, ", ")
	if len(debs) == 1 {
		e.Version = debs[0].Version
	}
	for i := range e.Files {
		if e.Files[i].Role == "" {
			e.Files[i].Role = "genome"
		}
	}
	return e
}

// treeEntries are pools of genomes, one FASTA file a taxon. The trees and the sources of every placement are in recipes/data.
func treeEntries() []Entry {
	mito := Entry{
		Name: "mammal-mtdna", Domain: "dna",
		About:   "12 protein-coding genes of the mitochondria of 20 mammals, 9,993 bases each, one file a species; homologous and in the same order in all (columns of a codon alignment without gaps)",
		Licence: "GPL-3.0 (as packaged); sequences of GenBank", Source: "PAML, examples/mtCDNA (Yang, Nielsen & Hasegawa 1998)",
	}
	for _, m := range mammals {
		mito.Files = append(mito.Files, File{
			Name: m.taxon + ".fa", Member: docs + "paml/examples/mtCDNA/mtCDNAmam.nuc", Made: madePhylip + " " + m.name, Size: m.size, SHA256: m.sum,
		})
	}
	return []Entry{
		Entry{
			Name: "tree-of-life", Domain: "dna",
			About: "20 taxa, one file each: 9 bacteria, 4 Zymoseptoria species and Ustilago maydis, 2 Plasmodium species, human, chimpanzee, gorilla and orangutan. " +
				"The primates are the same 9,627 aligned blocks of chromosome 22 and the Zymoseptoria what a genome alignment to Z. tritici covers: homologous sequence, so that their part of the task is like alignment; tree-of-life-x is the check",
			Licence: "GPL-3.0, GPL-3.0-or-later, GPL-2.0-or-later, BSD-3-Clause, CeCILL-2.0 (as packaged); the genomes have terms of their own",
			Source:  "example data of Ragout, SMALT, MafFilter, Kleborate, kmer and any2fasta",
			Files:   lifeFiles(),
		}.of(debRagout, debSmalt, debMafFilter, debKleborate, debKmer, debAny2fasta),
		Entry{
			Name: "tree-of-life-x", Domain: "dna", About: "one more taxon for tree-of-life: the first 70 Mb of the human chromosome X (GRCh37), which shares no homologous blocks with the primates there",
			Licence: "GPL-3.0 (as packaged); the genome has terms of its own", Source: "SMALT, test data",
			Files: []File{{Name: "Homo_sapiens_X.fa.gz", Member: docs + "smalt/test/data/hs37chrXtrunc.fa.gz", Size: 19840875, SHA256: "01fe793d0b77f91fa9d2edb8b269d9bc480cf71df469dce4be6e45bec25c749a"}},
		}.of(debSmalt),
		mito.of(debPAML),
	}
}
